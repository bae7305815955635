import type { notifications as english } from "../en/notifications";
import type { Translated } from "../translated";

export const notifications: Translated<typeof english> = {
  notifications: {
    title: "Notificaciones",
    description: "Órdenes cerradas, rentabilidad y apertura de sus favoritos",
    unread: "Notificaciones, {count} sin leer",
    empty: "Nada todavía. Aquí queda lo que se cierra y lo que cambia en sus favoritos.",
    wanted: "Avisarme de",
    kinds: {
      closed: "órdenes cerradas",
      payout: "cambios de rentabilidad de mis favoritos",
      opened: "mercados que abren",
      signIn: "accesos desde otro lugar",
    },
    signIn: "Nuevo acceso a su cuenta",
    signInText: "{device}, {address}. Si no fue usted, termínelo y cambie la contraseña.",
    new: "Nuevo",
    opened: "{instrument} está abierto",
    openedText: "La negociación ha comenzado.",
    payout: "{instrument}: cambió la rentabilidad",
    payoutText: "De {before} a {after}",
  },
};
