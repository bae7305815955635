import type { shell as english } from "../en/shell";
import type { Translated } from "../translated";

export const shell: Translated<typeof english> = {
  app: {
    name: "Veritick",
    loading: "Загрузка",
    close: "Закрыть",
    retrying: "Платформа недоступна. Пробуем снова…",
    skip: "Перейти к панели заявки",
  },
  nav: {
    trade: "Торговля",
    history: "История",
    statement: "Выписка",
    account: "Профиль",
    settings: "Настройки",
    shortcuts: "Горячие клавиши",
    signOut: "Выйти",
    main: "Основное меню",
  },
  settings: {
    title: "Настройки",
    description: "Хранятся в этом браузере",
    theme: "Оформление",
    themes: { system: "Системное", dark: "Тёмное", light: "Светлое" },
    language: "Язык",
    purchase: "Покупка",
    purchases: { oneClick: "Одним нажатием", confirm: "С подтверждением" },
    purchaseHint: "Одним нажатием: кнопки «Вверх» и «Вниз» покупают сразу.",
    protection: "Цена входа",
    protections: { off: "Любая", strict: "Не хуже показанной" },
    protectionHint:
      "Не хуже показанной: если до прихода заявки цена сдвинулась против вас, она отклоняется.",
    zone: "Время показано в вашем часовом поясе: {zone}.",
  },
  shortcuts: {
    title: "Горячие клавиши",
    when: "Работают на странице торговли, пока вы не печатаете в поле.",
    buyUp: "Купить «Вверх»",
    buyDown: "Купить «Вниз»",
    stakeMore: "Больше ставка",
    stakeLess: "Меньше ставка",
    durationMore: "Длиннее срок",
    durationLess: "Короче срок",
    search: "Поиск инструмента",
    help: "Показать эту подсказку",
  },
  connection: {
    live: "В эфире",
    slow: "Медленно",
    stale: "Нет свежей цены",
    closed: "Рынок закрыт",
    connecting: "Подключение…",
    lost: "Связь потеряна. Восстанавливаем… Открытые сделки тем временем рассчитывает сервер.",
    age: "{seconds} с назад",
    ageTitle: "Возраст последней цены",
  },
};
