/** What letters lead to: a confirmed address, a new password. */
export const letters = {
  letters: {
    forgot: {
      title: "Forgot your password?",
      pitch: "Tell us your address, and we send you a link to choose a new password.",
      action: "Send me a link",
      sentTitle: "Look into your mail",
      sent: "If {email} has an account here, a letter is on its way. The link in it works once, for an hour.",
    },
    reset: {
      title: "Choose a new password",
      pitch: "Every device will be signed out.",
      password: "New password",
      action: "Change the password",
      again: "Ask for a new link",
    },
    confirm: {
      title: "Confirm your email",
      pitch: "One press, and we know that this address is yours.",
      action: "Confirm my address",
      doneTitle: "Your address is confirmed",
      done: "Thank you. Everything that needs a confirmed address works now.",
      again: "Send me another link",
      sent: "Another letter is on its way. The link in it works for three days.",
      signIn: "Sign in, and open this link again to have another one sent to you.",
    },
    toTrade: "Go on to trading",
    toSignIn: "Back to signing in",
  },
};
