import type { kyc as english } from "../en/kyc";
import type { Translated } from "../translated";

export const kyc: Translated<typeof english> = {
  kyc: {
    title: "Проверка личности",
    note: "Нужна перед выплатой денег. Документы хранятся зашифрованными, открывают их только проверяющие.",
    levels: {
      KYC_LEVEL_UNSPECIFIED: "",
      NONE: "Не проверен",
      BASIC: "Базовый",
      VERIFIED: "Проверен",
    },
    next: {
      KYC_LEVEL_UNSPECIFIED: "",
      NONE: "Сначала подтвердите почту на странице «Профиль». Документы можно подать уже сейчас.",
      BASIC: "Почта подтверждена. Не хватает документа о личности и документа об адресе.",
      VERIFIED: "Всё на месте. Спросим снова, когда истечёт срок документа.",
    },
    kinds: { KIND_UNSPECIFIED: "", IDENTITY: "Кто вы", ADDRESS: "Где вы живёте" },
    kindNotes: {
      KIND_UNSPECIFIED: "",
      IDENTITY: "Паспорт, удостоверение личности или водительские права, со всеми краями в кадре.",
      ADDRESS: "Счёт или банковская выписка за последние три месяца с вашим именем и адресом.",
    },
    states: {
      STATE_UNSPECIFIED: "Нет",
      UPLOADING: "Отправляется",
      UPLOADED: "Ждёт проверки",
      IN_REVIEW: "Проверяется",
      APPROVED: "Принят",
      REJECTED: "Отклонён",
      EXPIRED: "Истёк",
    },
    rejections: {
      REJECTION_UNSPECIFIED: "",
      UNREADABLE: "не читается: сфотографируйте ещё раз при лучшем свете",
      WRONG_KIND: "доказывает другое",
      OUT_OF_DATE: "больше не действует или слишком старый",
      MISMATCH: "не совпадает с тем, что вы указали",
      FORGED: "не подлинный",
    },
    handedIn: "Подан {time}",
    until: "действует до {time}",
    choose: "Выберите файл или перетащите его сюда",
    files: "JPEG, PNG или PDF, до 8 МБ",
    unfinished: "Раньше дошло {share}. Выберите тот же файл, чтобы продолжить.",
    progress: "Сколько файла {file} дошло",
    resume: "Продолжить",
    problems: {
      empty: "Этот файл пуст.",
      tooLarge: "Этот файл больше 8 МБ.",
      wrongType: "Открываются только JPEG, PNG и PDF.",
    },
  },
};
