import type { chart as english } from "../en/chart";
import type { Translated } from "../translated";

export const chart: Translated<typeof english> = {
  instruments: {
    title: "Instrumentos",
    search: "Buscar instrumentos",
    choose: "Elija un instrumento",
    none: "Ningún instrumento coincide con «{text}».",
    payoutTitle: "Beneficio si acierta",
    CRYPTO: "Cripto",
    FX: "Divisas",
    METAL: "Metales",
    INDEX: "Índices",
    status: {
      STATUS_UNSPECIFIED: "Desconocido",
      OPEN: "Abierto",
      CLOSED: "Cerrado",
      HALTED: "Suspendido",
      STALE: "Sin precio reciente",
    },
  },
  chart: {
    title: "Gráfico de precios de {instrument}",
    attribution: "Gráficos de TradingView",
    interval: "Intervalo de vela",
    look: "Tipo de gráfico e indicadores",
    style: "Tipo de gráfico",
    styles: {
      candles: "Velas",
      hollow: "Velas huecas",
      bars: "Barras",
      line: "Línea",
      area: "Área",
      baseline: "Línea base",
    },
    indicators: "Indicadores",
    indicator: {
      sma: "Media móvil (20)",
      ema: "Media exponencial (20)",
      bollinger: "Bandas de Bollinger (20, 2)",
      rsi: "Fuerza relativa RSI (14)",
    },
    loading: "Cargando el gráfico",
    failed: "No se pudo cargar el gráfico. Reintentando…",
    closedTitle: "{instrument} está cerrado",
    closedText: "El mercado abre {time}. Hasta entonces no se aceptan órdenes.",
    closedUnknown: "No hay apertura en los próximos días.",
    haltedTitle: "{instrument} está suspendido",
    haltedText:
      "La negociación de este instrumento está suspendida. Las órdenes abiertas que venzan mientras tanto se reembolsan.",
  },
};
