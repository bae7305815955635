import { call } from "./call.ts";
import { Client } from "./client.ts";
import { ServerClock } from "./clock.ts";
import { Http, NOBODY } from "./http.ts";
import { Stream } from "./stream.ts";
import { TokenSession } from "./tokenSession.ts";
import type { Order } from "./types.ts";

/** A program's way to a platform. */
export interface Connection {
  readonly client: Client;
  /** Started by its first subscription; `stop` lets the program end. */
  readonly stream: Stream;
  readonly clock: ServerClock;
}

export interface Credentials {
  readonly email: string;
  readonly password: string;
  /** Whether to make the user first. */
  readonly register?: boolean;
}

/** Signs in to the platform at `url`, as a program and not as a page. Throws `Failure`. */
export async function connect(
  url: string,
  { email, password, register = false }: Credentials,
): Promise<Connection> {
  const http = new Http(url);
  const user = call("post", "/v1/users", { body: { email, password } });
  if (register) await http.send(user, undefined, NOBODY);
  const client = new Client(http, await TokenSession.open(http, email, password));
  const clock = new ServerClock();
  const stream = new Stream({ ticket: () => client.createStreamTicket() });
  stream.onServerTime((time) => {
    clock.observe(time);
  });
  stream.start();
  return { client, stream, clock };
}

/**
 * Waits until the server has closed an order, and answers it as it closed.
 *
 * The stream tells of the close; what it could not deliver is asked for.
 */
export function untilClosed(
  { client, stream }: Pick<Connection, "client" | "stream">,
  { accountId, orderId }: Order,
): Promise<Order> {
  return new Promise((resolve, reject) => {
    function take(order: Order): void {
      if (order.orderId !== orderId || order.state !== "CLOSED") return;
      end();
      resolve(order);
    }

    function look(): void {
      client.getOrder(accountId, orderId).then(take, (error: unknown) => {
        end();
        reject(error instanceof Error ? error : new Error(String(error)));
      });
    }

    const end = stream.subscribe(`account:${accountId}`, {
      message: ({ type, data }) => {
        if (type === "order.settled.v1") take(data.order);
      },
      ready: look,
      gap: look,
    });
    look();
  });
}
