import type { account as english } from "../en/account";
import type { Translated } from "../translated";

export const account: Translated<typeof english> = {
  account: {
    DEMO: "Demo",
    REAL: "Real",
    TOURNAMENT: "Torneo",
    balance: "Saldo",
    choose: "Elegir cuenta",
    refill: "Recargar",
    refillTitle: "Recargar la cuenta demo hasta su saldo inicial",
    refilled: "Cuenta demo recargada",
  },
  history: {
    title: "Historial de órdenes",
    empty: "Aún no hay órdenes.",
    more: "Mostrar más",
    opened: "Abierta",
    filter: "Resultado",
    all: "Todas",
    instrument: "Instrumento",
    allInstruments: "Todos los instrumentos",
    noneMatch: "Ninguna orden coincide con estos filtros.",
  },
  statement: {
    title: "Extracto",
    empty: "Aún no hay movimientos.",
    noneMatch: "No hay movimientos de este tipo.",
    filter: "Tipo",
    all: "Todos",
    time: "Hora",
    kind: "Concepto",
    order: "Orden",
    amount: "Importe",
    balance: "Saldo",
    kinds: {
      KIND_UNSPECIFIED: "Movimiento",
      OPENING: "Saldo inicial",
      REFILL: "Recarga",
      STAKE: "Importe apostado",
      PAYOUT: "Cobro",
      REFUND: "Importe devuelto",
      TRANSFER: "Transferencia",
      LOST_STAKE: "Importe perdido",
      PROFIT: "Beneficio",
    },
  },
};
