/** The documents by which a user is known. */
export const kyc = {
  kyc: {
    title: "Verification",
    note: "Needed before money is paid out. Documents are kept encrypted, and only reviewers open them.",
    levels: {
      KYC_LEVEL_UNSPECIFIED: "",
      NONE: "Not verified",
      BASIC: "Basic",
      VERIFIED: "Verified",
    },
    next: {
      KYC_LEVEL_UNSPECIFIED: "",
      NONE: "First confirm your mail address, on the page Profile. Documents can be handed in already.",
      BASIC:
        "Your mail address is confirmed. A document of who you are and one of where you live are missing.",
      VERIFIED: "Everything is there. We ask again when a document expires.",
    },
    kinds: { KIND_UNSPECIFIED: "", IDENTITY: "Who you are", ADDRESS: "Where you live" },
    kindNotes: {
      KIND_UNSPECIFIED: "",
      IDENTITY: "A passport, an identity card or a driving licence, with all edges in the picture.",
      ADDRESS: "A bill or a bank statement of the last three months, with your name and address.",
    },
    states: {
      STATE_UNSPECIFIED: "Missing",
      UPLOADING: "Being sent",
      UPLOADED: "Waits for review",
      IN_REVIEW: "In review",
      APPROVED: "Approved",
      REJECTED: "Rejected",
      EXPIRED: "Expired",
    },
    rejections: {
      REJECTION_UNSPECIFIED: "",
      UNREADABLE: "it cannot be read: take the picture again, in better light",
      WRONG_KIND: "it proves something else",
      OUT_OF_DATE: "it is no longer valid, or too old",
      MISMATCH: "it does not match what you have told us",
      FORGED: "it is not genuine",
    },
    handedIn: "Handed in {time}",
    until: "counts until {time}",
    choose: "Choose a file, or drop it here",
    files: "JPEG, PNG or PDF, up to 8 MB",
    unfinished: "{share} arrived before. Choose the same file to go on.",
    progress: "How much of {file} has arrived",
    resume: "Go on",
    problems: {
      empty: "This file is empty.",
      tooLarge: "This file is larger than 8 MB.",
      wrongType: "Only JPEG, PNG and PDF are opened.",
    },
  },
};
