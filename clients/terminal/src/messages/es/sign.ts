import type { sign as english } from "../en/sign";
import type { Translated } from "../translated";

export const sign: Translated<typeof english> = {
  sign: {
    headline: "Opere con precios que puede comprobar.",
    pitch:
      "El servidor liquida cada orden con el tick exacto de su vencimiento, y cada resultado trae un recibo que lo demuestra.",
    points: {
      evidence: "Un recibo por operación: tick de entrada, tick decisivo y sus vecinos",
      refund: "¿Sin precio fiable al vencer? Su importe vuelve",
      demo: "10.000 de dinero ficticio para empezar; recárguelo cuando quiera",
    },
    inTitle: "Entrar",
    upTitle: "Cree su cuenta",
    email: "Correo electrónico",
    password: "Contraseña",
    passwordHint: "Al menos 10 caracteres",
    inAction: "Entrar",
    upAction: "Crear cuenta",
    toUp: "¿Es nuevo aquí?",
    toUpAction: "Cree una cuenta",
    toIn: "¿Ya tiene cuenta?",
    toInAction: "Entre",
    ended: "Su sesión ha terminado. Entre de nuevo.",
    passwordChanged: "Su contraseña ha cambiado. Entre con la nueva.",
    code: "Código de su aplicación de autenticación",
    recoveryCode: "Código de recuperación",
    toRecoveryCode: "Usar un código de recuperación",
    toCode: "Usar la aplicación de autenticación",
    byPasskey: "Entrar con una llave de acceso",
    forgot: "¿Olvidó su contraseña?",
    referralCode: "Código de invitación (opcional)",
    toReferralCode: "Tengo un código de invitación",
    riskTitle: "Aviso de riesgo",
    risk: "Las opciones binarias son todo o nada: si su predicción falla, pierde todo el importe. Su venta a clientes minoristas está restringida o prohibida en muchos países. Esta plataforma abre cuentas demo, que no contienen dinero real.",
  },
};
