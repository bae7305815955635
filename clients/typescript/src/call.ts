import type { paths } from "./schema.ts";

type Verb = "get" | "put" | "post" | "patch" | "delete";

/** The parts of one parameter place, as the contract lists them; nothing when it lists none. */
type Part<Operation, Place extends "path" | "query"> = Operation extends {
  readonly parameters: { readonly [P in Place]?: infer Parameters };
}
  ? Exclude<Parameters, undefined>
  : never;

type Content<Body> = Body extends {
  readonly content: { readonly "application/json": infer Json };
}
  ? Json
  : never;

/** The body: mandatory where the contract says so, and none where it knows of none. */
type Body<Operation> = Operation extends { readonly requestBody: infer Asked }
  ? Given<"body", Content<Asked>>
  : Operation extends { readonly requestBody?: infer Asked }
    ? Partial<Given<"body", Content<Asked>>>
    : Given<"body", never>;

/** Makes a key mandatory exactly when the contract has something for it. */
type Given<Key extends string, Value> = [Value] extends [never]
  ? { readonly [K in Key]?: undefined }
  : { readonly [K in Key]: Loose<Value> };

/** Lets an optional part be given as `undefined`, which leaves it out. */
type Loose<Value> = {
  [Name in keyof Value]: Value[Name] | (undefined extends Value[Name] ? undefined : never);
};

type Parts<Operation> = Given<"path", Part<Operation, "path">> &
  Partial<Given<"query", Part<Operation, "query">>> &
  Body<Operation>;

/** One request, ready to be sent. */
export interface Call {
  readonly method: Uppercase<Verb>;
  readonly path: string;
  readonly body?: unknown;
  /** A file, or a part of one, in place of a body in JSON. */
  readonly content?: Blob;
  /** Ends the waiting for an answer before its time. */
  readonly signal?: AbortSignal;
}

/** Writes the request of an operation; what the contract does not know does not compile. */
export function call<Path extends keyof paths, Method extends Verb & keyof paths[Path]>(
  method: Method,
  path: Path,
  parts: Parts<paths[Path][Method]>,
): Call {
  const {
    path: names,
    query,
    body,
  } = parts as {
    path?: Record<string, string>;
    query?: Record<string, string | number | undefined>;
    body?: unknown;
  };
  const filled = path.replace(/\{([^}]+)\}/g, (_, name: string) =>
    encodeURIComponent(names?.[name] ?? ""),
  );
  return {
    method: method.toUpperCase() as Uppercase<Verb>,
    path: filled + queryText(query ?? {}),
    body,
  };
}

function queryText(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}
