/** The first minutes: a tour of the trade page, and how orders are settled. */
export const guide = {
  tour: {
    take: "Take the tour",
    progress: "{number} of {count}",
    skip: "Skip the tour",
    back: "Back",
    next: "Next",
    done: "Start trading",
    risk: "With real money, a wrong prediction costs the whole stake. Practise here, where nothing is at risk.",
    welcome: {
      title: "Welcome to your demo account",
      text: "Here is your balance: play money, refilled with one click whenever you like.",
    },
    instruments: {
      title: "Choose what to trade",
      text: "Search, mark favourites with the star, and see at a glance what is open and what it pays.",
    },
    order: {
      title: "How much, and until when",
      text: "Set your stake, and let the order run for a while or until a time of the clock.",
    },
    buy: {
      title: "Up or Down",
      text: "You win if the price at expiry is above (Up) or below (Down) your entry price. What a win brings stands above the buttons before you buy.",
    },
    positions: {
      title: "Watch it, then check it",
      text: "Open orders count down here. Once closed, each opens a receipt that shows the deciding tick, and your browser can verify it.",
    },
  },
  settlement: {
    title: "How orders are settled",
    description: "The server decides by fixed rules, and proves it",
    steps: {
      entry: {
        title: "Entry",
        text: "The entry price is the latest tick the server holds when it accepts your order. It, the payout and the terms never change afterwards.",
      },
      expiry: {
        title: "Expiry",
        text: "The closing price is the last tick at or before the moment of expiry, by the clock that numbers all ticks.",
      },
      outcome: {
        title: "Outcome",
        text: "Up wins above the entry price, Down below it: you receive your stake and the profit you were shown. Otherwise the stake is lost.",
      },
      proof: {
        title: "Proof",
        text: "Every closed order has a receipt with the ticks around its expiry. Your browser can decide it again from the receipt alone.",
      },
    },
    refundTitle: "When your stake comes back",
    refundText: "A price that cannot be trusted decides nothing. The whole stake is returned if",
    draw: "the closing price equals the entry price",
    link: "How orders are settled",
  },
};
