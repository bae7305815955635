/** Signing in and up. */
export const sign = {
  sign: {
    headline: "Trade on prices you can check.",
    pitch:
      "Every order is settled by the server at the exact tick of its expiry, and every outcome comes with a receipt that proves it.",
    points: {
      evidence: "A receipt for each trade: entry tick, deciding tick, and its neighbours",
      refund: "No trustworthy price at expiry? Your stake comes back",
      demo: "10,000 in play money to begin with, refilled whenever you like",
    },
    inTitle: "Sign in",
    upTitle: "Create your account",
    email: "Email",
    password: "Password",
    passwordHint: "At least 10 characters",
    inAction: "Sign in",
    upAction: "Create account",
    toUp: "New here?",
    toUpAction: "Create an account",
    toIn: "Already have an account?",
    toInAction: "Sign in",
    ended: "Your session has ended. Please sign in again.",
    passwordChanged: "Your password is changed. Sign in with the new one.",
    code: "Code from your authenticator app",
    recoveryCode: "Recovery code",
    toRecoveryCode: "Use a recovery code instead",
    toCode: "Use the authenticator app instead",
    byPasskey: "Sign in with a passkey",
    forgot: "Forgot your password?",
    riskTitle: "Risk notice",
    risk: "Binary options are all or nothing: if your prediction is wrong you lose the whole stake. Their sale to retail clients is restricted or banned in many countries. This platform opens demo accounts, which hold no real money.",
  },
};
