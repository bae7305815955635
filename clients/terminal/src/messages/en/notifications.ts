/** What happened lately. */
export const notifications = {
  notifications: {
    title: "Notifications",
    description: "Orders that closed, payouts and openings of your favourites",
    unread: "Notifications, {count} unread",
    empty: "Nothing yet. What closes, and what changes on your favourites, is kept here.",
    wanted: "Tell me of",
    kinds: {
      closed: "Orders that closed",
      payout: "Payouts of my favourites that changed",
      opened: "Markets that opened",
      signIn: "Sign-ins elsewhere",
    },
    signIn: "New sign-in to your account",
    signInText: "{device}, {address}. If it was not you, end it and change your password.",
    new: "New",
    opened: "{instrument} is open",
    openedText: "Trading has begun.",
    payout: "{instrument}: payout changed",
    payoutText: "From {before} to {after}",
  },
};
