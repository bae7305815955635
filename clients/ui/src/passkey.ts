/** What a browser makes and asks passkeys by: JSON in, JSON out, as the contract passes it on. */

/** Whether this page can have passkeys: it needs TLS, or this very machine, and a name. */
export function passkeysPossible(): boolean {
  const numbers = /^[\d.]+$|:/.test(location.hostname.replace(/^\[|\]$/g, ""));
  const able =
    "PublicKeyCredential" in window && "parseCreationOptionsFromJSON" in PublicKeyCredential;
  return window.isSecureContext && able && !numbers;
}

/** Lets the browser make a passkey. `undefined` when its user would not. */
export async function makePasskey(options: string): Promise<string | undefined> {
  const json = JSON.parse(options) as PublicKeyCredentialCreationOptionsJSON;
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
  return written(() => navigator.credentials.create({ publicKey }));
}

/** Lets a passkey sign. `undefined` when its user would not. */
export async function askPasskey(options: string): Promise<string | undefined> {
  const json = JSON.parse(options) as PublicKeyCredentialRequestOptionsJSON;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
  return written(() => navigator.credentials.get({ publicKey }));
}

async function written(ask: () => Promise<Credential | null>): Promise<string | undefined> {
  try {
    const credential = (await ask()) as PublicKeyCredential | null;
    return credential === null ? undefined : JSON.stringify(credential.toJSON());
  } catch (error) {
    // Closed, timed out, or there is one on this device already: none of it is a fault.
    const names = ["NotAllowedError", "AbortError", "InvalidStateError"];
    if (error instanceof DOMException && names.includes(error.name)) return undefined;
    throw error;
  }
}
