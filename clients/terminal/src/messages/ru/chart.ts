import type { chart as english } from "../en/chart";
import type { Translated } from "../translated";

export const chart: Translated<typeof english> = {
  instruments: {
    title: "Инструменты",
    search: "Поиск инструмента",
    choose: "Выберите инструмент",
    none: "Нет инструментов по запросу «{text}».",
    payoutTitle: "Прибыль при выигрыше",
    CRYPTO: "Криптовалюты",
    FX: "Валюты",
    METAL: "Металлы",
    INDEX: "Индексы",
    status: {
      STATUS_UNSPECIFIED: "Неизвестно",
      OPEN: "Открыт",
      CLOSED: "Закрыт",
      HALTED: "Приостановлен",
      STALE: "Нет свежей цены",
    },
  },
  chart: {
    title: "График цены {instrument}",
    attribution: "Графики TradingView",
    interval: "Интервал свечи",
    look: "Вид графика и индикаторы",
    style: "Вид графика",
    styles: {
      candles: "Свечи",
      hollow: "Полые свечи",
      bars: "Бары",
      line: "Линия",
      area: "Область",
      baseline: "Базовая линия",
    },
    indicators: "Индикаторы",
    indicator: {
      sma: "Скользящее среднее (20)",
      ema: "Экспоненциальное среднее (20)",
      bollinger: "Полосы Боллинджера (20, 2)",
      rsi: "Относительная сила RSI (14)",
    },
    loading: "График загружается",
    failed: "Не удалось загрузить график. Пробуем снова…",
    closedTitle: "{instrument}: рынок закрыт",
    closedText: "Торги откроются {time}. До этого сделки не принимаются.",
    closedUnknown: "В ближайшие дни открытия не будет.",
    haltedTitle: "{instrument}: торги приостановлены",
    haltedText:
      "Торги этим инструментом приостановлены. По сделкам, которые истекут за это время, ставка возвращается.",
  },
};
