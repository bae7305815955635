import type { personalData as english } from "../en/personalData";
import type { Translated } from "../translated";

export const personalData: Translated<typeof english> = {
  personalData: {
    copy: "Una copia de sus datos",
    copyNote:
      "Todo lo que se guarda sobre usted en un archivo: perfil, accesos, documentos, órdenes y movimientos de dinero, legible para personas y programas.",
    download: "Descargar",
    downloaded: "Su archivo está listo",
    erase: "Borrarme",
    eraseNote:
      "Se destruye todo lo que dice quién es usted, primero los documentos. Las órdenes, los movimientos y los recibos quedan solo bajo números.",
    waits: "Se borrará",
    due: "Ocurrirá el {time}. Hasta entonces puede operar y retirarlo.",
    obstructed: "Espera hasta que se resuelva esto:",
    inTheWay: "Antes hay que resolver esto:",
    obstacles: {
      ERASURE_OBSTACLE_UNSPECIFIED: "",
      OPEN_ORDERS: "Órdenes abiertas",
      HELD_MONEY: "Dinero retenido, por ejemplo para un retiro",
      BALANCE: "Saldo en su cuenta con dinero real",
      FROZEN_ACCOUNT: "Una cuenta congelada",
      STAFF_ROLE: "Lo que puede hacer aquí como personal",
    },
    ask: "¿Borrar su cuenta?",
    askText:
      "Durante {days} puede retirarlo. Después nadie puede recuperarla, y el dinero de demostración se pierde.",
    type: "Escriba «{phrase}» para continuar",
    phrase: "borrarme",
    asked: "Se le borrará. Una carta se lo comunica.",
    takeBack: "Retirarlo",
    takenBack: "Su cuenta se queda.",
  },
};
