import type { letters as english } from "../en/letters";
import type { Translated } from "../translated";

export const letters: Translated<typeof english> = {
  letters: {
    forgot: {
      title: "¿Olvidó su contraseña?",
      pitch: "Díganos su correo y le enviaremos un enlace para elegir otra contraseña.",
      action: "Enviar un enlace",
      sentTitle: "Mire su correo",
      sent: "Si {email} tiene una cuenta aquí, la carta ya está en camino. Su enlace sirve una vez, durante una hora.",
    },
    reset: {
      title: "Elija una contraseña nueva",
      pitch: "Se cerrará la sesión en todos los dispositivos.",
      password: "Contraseña nueva",
      action: "Cambiar la contraseña",
      again: "Pedir otro enlace",
    },
    confirm: {
      title: "Confirme su correo",
      pitch: "Una pulsación, y sabremos que esta dirección es suya.",
      action: "Confirmar mi dirección",
      doneTitle: "Su dirección está confirmada",
      done: "Gracias. Ya funciona todo lo que necesita una dirección confirmada.",
      again: "Enviar otro enlace",
      sent: "Otra carta está en camino. Su enlace sirve durante tres días.",
      signIn: "Entre y abra de nuevo este enlace para que le enviemos otro.",
    },
    toTrade: "Ir a operar",
    toSignIn: "Volver a entrar",
  },
};
