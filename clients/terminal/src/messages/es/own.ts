import type { own as english } from "../en/own";
import type { Translated } from "../translated";

export const own: Translated<typeof english> = {
  own: {
    refused: "No se ha hecho",
    again: "Reintentar",
    copy: "Copiar",
    copied: "Copiado",
  },
  confirm: {
    title: "¿Es usted?",
    byPassword: "Escriba su contraseña otra vez: esto cambia quién entra en su cuenta.",
    byCode: "Escriba un código de su aplicación: esto cambia quién entra en su cuenta.",
    wrong: "Esta no es su contraseña.",
    go: "Continuar",
  },
  profile: {
    you: "Sobre usted",
    youNote:
      "El país y la fecha de nacimiento se indican una sola vez; después solo el personal los corrige.",
    country: "País de residencia",
    birthDate: "Fecha de nacimiento",
    since: "Con nosotros desde",
    userId: "Número de usuario",
    confirmed: "Confirmado",
    unconfirmed: "Sin confirmar",
    sendLetter: "Enviar el enlace otra vez",
    letterSent: "Hay una carta con un enlace en camino",
    tell: "Cuéntenos sobre usted",
    tellNote: "Para operar en la cuenta demo no hace falta.",
    choose: "Elija…",
    notOffered: "En este país no se ofrecen cuentas con dinero real.",
    save: "Guardar",
    real: "Cuenta con dinero real",
    realNote: "Lo que la plataforma debe saber antes de poder abrirla.",
    realOpen: "Permitida",
    realClosed: "Aún no",
    missing: "falta",
    there: "hecho",
    requirements: {
      REQUIREMENT_UNSPECIFIED: "",
      EMAIL_CONFIRMED: "Su correo está confirmado",
      COUNTRY: "Se conoce su país",
      COUNTRY_ALLOWED: "En su país se ofrecen cuentas reales",
      BIRTH_DATE: "Se conoce su fecha de nacimiento",
      AGE: "Tiene al menos {age} años",
      AGREEMENT: "Acepta el acuerdo de usuario",
    },
    agree: "Aceptar el acuerdo",
    agreement: "Acuerdo de usuario, versión {version}",
    agreed: "Acuerdo de usuario aceptado",
  },
};
