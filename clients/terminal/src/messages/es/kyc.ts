import type { kyc as english } from "../en/kyc";
import type { Translated } from "../translated";

export const kyc: Translated<typeof english> = {
  kyc: {
    title: "Verificación",
    note: "Hace falta antes de pagar dinero. Los documentos se guardan cifrados y solo los abren los revisores.",
    levels: {
      KYC_LEVEL_UNSPECIFIED: "",
      NONE: "Sin verificar",
      BASIC: "Básico",
      VERIFIED: "Verificado",
    },
    next: {
      KYC_LEVEL_UNSPECIFIED: "",
      NONE: "Primero confirme su correo en la página Perfil. Ya puede entregar documentos.",
      BASIC: "Su correo está confirmado. Faltan un documento de identidad y uno de domicilio.",
      VERIFIED: "Está todo. Volveremos a preguntar cuando caduque un documento.",
    },
    kinds: { KIND_UNSPECIFIED: "", IDENTITY: "Quién es usted", ADDRESS: "Dónde vive" },
    kindNotes: {
      KIND_UNSPECIFIED: "",
      IDENTITY:
        "Pasaporte, documento de identidad o permiso de conducir, con todos los bordes visibles.",
      ADDRESS:
        "Una factura o un extracto bancario de los últimos tres meses, con su nombre y dirección.",
    },
    states: {
      STATE_UNSPECIFIED: "Falta",
      UPLOADING: "Enviándose",
      UPLOADED: "Espera revisión",
      IN_REVIEW: "En revisión",
      APPROVED: "Aprobado",
      REJECTED: "Rechazado",
      EXPIRED: "Caducado",
    },
    rejections: {
      REJECTION_UNSPECIFIED: "",
      UNREADABLE: "no se puede leer: repita la foto con mejor luz",
      WRONG_KIND: "demuestra otra cosa",
      OUT_OF_DATE: "ya no es válido o es demasiado antiguo",
      MISMATCH: "no coincide con lo que nos dijo",
      FORGED: "no es auténtico",
    },
    handedIn: "Entregado {time}",
    until: "cuenta hasta {time}",
    choose: "Elija un archivo o suéltelo aquí",
    files: "JPEG, PNG o PDF, hasta 8 MB",
    unfinished: "Ya llegó el {share}. Elija el mismo archivo para continuar.",
    progress: "Cuánto ha llegado de {file}",
    resume: "Continuar",
    problems: {
      empty: "Este archivo está vacío.",
      tooLarge: "Este archivo supera los 8 MB.",
      wrongType: "Solo se abren JPEG, PNG y PDF.",
    },
  },
};
