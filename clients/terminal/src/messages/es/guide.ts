import type { guide as english } from "../en/guide";
import type { Translated } from "../translated";

export const guide: Translated<typeof english> = {
  tour: {
    take: "Hacer el recorrido",
    progress: "{number} de {count}",
    skip: "Saltar",
    back: "Atrás",
    next: "Siguiente",
    done: "Empezar a operar",
    risk: "Con dinero real, un pronóstico equivocado cuesta todo el importe. Practique aquí, donde no arriesga nada.",
    welcome: {
      title: "Bienvenido a su cuenta demo",
      text: "Este es su saldo: dinero ficticio, que se repone con un clic cuando quiera.",
    },
    instruments: {
      title: "Elija qué operar",
      text: "Busque, marque favoritos con la estrella y vea de un vistazo qué está abierto y cuánto paga.",
    },
    order: {
      title: "Cuánto y hasta cuándo",
      text: "Fije el importe y deje correr la orden un rato o hasta una hora del reloj.",
    },
    buy: {
      title: "Sube o baja",
      text: "Gana si el precio al vencer está por encima (Sube) o por debajo (Baja) de su precio de entrada. Lo que paga un acierto se ve sobre los botones antes de comprar.",
    },
    positions: {
      title: "Sígala y compruébela",
      text: "Aquí corre la cuenta atrás de las órdenes abiertas. Al cerrarse, cada una abre un recibo con el tick que decide, y su navegador puede verificarlo.",
    },
  },
  settlement: {
    title: "Cómo se liquidan las órdenes",
    description: "El servidor decide con reglas fijas y lo demuestra",
    steps: {
      entry: {
        title: "Entrada",
        text: "El precio de entrada es el último tick que tiene el servidor al aceptar la orden. Ni él, ni la rentabilidad, ni las condiciones cambian después.",
      },
      expiry: {
        title: "Vencimiento",
        text: "El precio de cierre es el último tick en el momento del vencimiento o antes, según el reloj que numera todos los ticks.",
      },
      outcome: {
        title: "Resultado",
        text: "Sube gana por encima del precio de entrada, Baja por debajo: recibe el importe y el beneficio mostrado. Si no, el importe se pierde.",
      },
      proof: {
        title: "Prueba",
        text: "Cada orden cerrada tiene un recibo con los ticks alrededor del vencimiento. Su navegador puede decidirla otra vez solo con el recibo.",
      },
    },
    refundTitle: "Cuándo vuelve su importe",
    refundText: "Un precio del que no se puede fiar no decide nada. Se devuelve todo el importe si",
    draw: "el precio de cierre es igual al de entrada",
    link: "Cómo se liquidan las órdenes",
  },
};
