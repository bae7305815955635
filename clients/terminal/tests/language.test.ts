import type { User } from "@veritick/client";
import { expect, test } from "vitest";
import { useSession } from "@/stores/session";
import { stage } from "./stage";

/** Lets a session change its language, and answers what the platform was told. */
async function changing(user: User | undefined): Promise<readonly unknown[]> {
  const told: unknown[] = [];
  const scene = stage((url, request) => {
    told.push(url, request.method, request.body);
    return Promise.resolve(Response.json({ ...user, languageCode: "es" }));
  });
  const session = scene.run(useSession);
  session.user = user;
  await session.writeIn("es");
  expect(session.user?.languageCode).toBe(user && "es");
  return told;
}

test("letters come in the language that is chosen while signed in", async () => {
  const user = { userId: "u", languageCode: "en" } as User;
  expect(await changing(user)).toEqual(["/v1/users/me", "PATCH", '{"languageCode":"es"}']);
});

test("the choice of a visitor is told to nobody", async () => {
  expect(await changing(undefined)).toEqual([]);
});
