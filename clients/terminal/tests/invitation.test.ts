import { expect, test } from "vitest";
import { nextTick } from "vue";
import { useInvitation } from "@/stores/invitation";
import { memory, stage } from "./stage";

const nothing = (): Promise<Response> => Promise.resolve(Response.json({}));

test("the code of a link is kept until somebody signs up, and another link replaces it", async () => {
  const storage = memory();
  const invitation = stage(nothing, storage).run(useInvitation);
  invitation.take(" K0Q1M9XW1B ");
  invitation.take(undefined);
  invitation.take(["a", "b"]);
  await nextTick();
  expect(stage(nothing, storage).run(useInvitation).code).toBe("K0Q1M9XW1B");
  invitation.take("OTHER");
  expect(invitation.code).toBe("OTHER");
  invitation.forget();
  await nextTick();
  expect(stage(nothing, storage).run(useInvitation).code).toBe("");
});

test("what is no code is cut to what one can be", () => {
  const invitation = stage(nothing).run(useInvitation);
  invitation.take("x".repeat(500));
  expect(invitation.code).toHaveLength(40);
});
