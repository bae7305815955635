import type { notifications as english } from "../en/notifications";
import type { Translated } from "../translated";

export const notifications: Translated<typeof english> = {
  notifications: {
    title: "Уведомления",
    description: "Закрытые сделки, доходность и открытие избранного",
    unread: "Уведомления, непрочитанных: {count}",
    empty: "Пока ничего. Здесь появится то, что закрылось, и перемены в избранном.",
    wanted: "Уведомлять",
    kinds: {
      closed: "о закрытых сделках",
      payout: "об изменении доходности избранного",
      opened: "об открытии рынков",
      signIn: "о входах с других устройств",
    },
    signIn: "Новый вход в вашу учётную запись",
    signInText: "{device}, {address}. Если это не вы, завершите сеанс и смените пароль.",
    new: "Новое",
    opened: "{instrument}: рынок открыт",
    openedText: "Торги начались.",
    payout: "{instrument}: доходность изменилась",
    payoutText: "С {before} на {after}",
  },
};
