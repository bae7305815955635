import type { shell as english } from "../en/shell";
import type { Translated } from "../translated";

export const shell: Translated<typeof english> = {
  app: {
    name: "Veritick",
    loading: "Cargando",
    close: "Cerrar",
    retrying: "No se puede contactar con la plataforma. Reintentando…",
    skip: "Ir al panel de órdenes",
  },
  nav: {
    trade: "Operar",
    history: "Historial",
    statement: "Extracto",
    account: "Perfil",
    settings: "Ajustes",
    shortcuts: "Atajos de teclado",
    signOut: "Salir",
    main: "Principal",
  },
  settings: {
    title: "Ajustes",
    description: "Se guardan en este navegador",
    theme: "Apariencia",
    themes: { system: "Sistema", dark: "Oscura", light: "Clara" },
    language: "Idioma",
    purchase: "Compra",
    purchases: { oneClick: "Un clic", confirm: "Confirmar antes" },
    purchaseHint: "Con un clic, pulsar Sube o Baja compra al instante.",
    protection: "Precio de entrada",
    protections: { off: "Cualquiera", strict: "No peor que el visto" },
    protectionHint:
      "No peor que el visto: la orden se rechaza si el precio se movió en su contra antes de llegar.",
    zone: "Las horas se muestran en su zona horaria, {zone}.",
  },
  shortcuts: {
    title: "Atajos de teclado",
    when: "Funcionan en la página de operar mientras no escriba en un campo.",
    buyUp: "Comprar Sube",
    buyDown: "Comprar Baja",
    stakeMore: "Más importe",
    stakeLess: "Menos importe",
    durationMore: "Mayor duración",
    durationLess: "Menor duración",
    search: "Buscar instrumentos",
    help: "Mostrar esta ayuda",
  },
  connection: {
    live: "En vivo",
    slow: "Lento",
    stale: "Sin precio reciente",
    closed: "Mercado cerrado",
    connecting: "Conectando…",
    lost: "Conexión perdida. Reconectando… Mientras tanto, el servidor liquida las órdenes abiertas.",
    age: "hace {seconds} s",
    ageTitle: "Antigüedad del último precio",
  },
};
