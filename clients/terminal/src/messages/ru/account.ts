import type { account as english } from "../en/account";
import type { Translated } from "../translated";

export const account: Translated<typeof english> = {
  account: {
    DEMO: "Демо",
    REAL: "Реальный",
    TOURNAMENT: "Турнир",
    balance: "Баланс",
    choose: "Выбор счёта",
    refill: "Пополнить",
    refillTitle: "Пополнить демо-счёт до начального баланса",
    refilled: "Демо-счёт пополнен",
  },
  history: {
    title: "История сделок",
    empty: "Сделок пока нет.",
    more: "Показать ещё",
    opened: "Открыта",
    filter: "Исход",
    all: "Все",
    instrument: "Инструмент",
    allInstruments: "Все инструменты",
    noneMatch: "Нет сделок по этим условиям.",
  },
  statement: {
    title: "Выписка",
    empty: "Движений пока нет.",
    noneMatch: "Движений такого вида нет.",
    filter: "Вид",
    all: "Все",
    time: "Время",
    kind: "Что",
    order: "Сделка",
    amount: "Сумма",
    balance: "Баланс",
    kinds: {
      KIND_UNSPECIFIED: "Движение",
      OPENING: "Начальный баланс",
      REFILL: "Пополнение",
      STAKE: "Ставка",
      PAYOUT: "Выплата",
      REFUND: "Возврат ставки",
      TRANSFER: "Перевод",
      LOST_STAKE: "Проигранная ставка",
      PROFIT: "Прибыль",
    },
  },
};
