/** The page about what is kept about the user, and the end of it. */
export const personalData = {
  personalData: {
    copy: "A copy of your data",
    copyNote:
      "Everything that is kept about you in one archive: profile, sign-ins, documents, orders and movements of money, to be read by people and programs.",
    download: "Download",
    downloaded: "Your archive is ready",
    erase: "Erase me",
    eraseNote:
      "Everything that tells who you are is destroyed, documents first. Orders, movements of money and receipts stay under numbers alone.",
    waits: "Will be erased",
    due: "This happens on {time}. Until then you can trade, and take it back.",
    obstructed: "It waits until this is settled:",
    inTheWay: "Before that, this has to be settled:",
    obstacles: {
      ERASURE_OBSTACLE_UNSPECIFIED: "",
      OPEN_ORDERS: "Open orders",
      HELD_MONEY: "Held money, such as for a withdrawal",
      BALANCE: "A balance on your account with real money",
      FROZEN_ACCOUNT: "A frozen account",
      STAFF_ROLE: "What you may do here as staff",
    },
    ask: "Erase your account?",
    askText:
      "For {days} you can take it back. After that nobody can bring it back, and demo money is lost.",
    type: "Type “{phrase}” to go on",
    phrase: "erase me",
    asked: "You will be erased. A letter tells you so.",
    takeBack: "Take it back",
    takenBack: "Your account stays.",
  },
};
