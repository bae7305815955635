import { Failure } from "@veritick/client";
import { expect, test } from "vitest";
import { effectScope, nextTick, ref } from "vue";
import { useLoaded, type Loaded } from "../src/composables/useLoaded";

/** Answers that come when the test says so, in any order. */
function answers(): {
  read: () => Promise<string>;
  give: (index: number, answer: string | Failure) => Promise<void>;
} {
  const waiting: { resolve: (text: string) => void; reject: (error: Failure) => void }[] = [];
  return {
    read: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
      }),
    give: async (index, answer) => {
      if (answer instanceof Failure) waiting[index]?.reject(answer);
      else waiting[index]?.resolve(answer);
      await nextTick();
      await nextTick();
    },
  };
}

function loading(read: () => Promise<string>): {
  question: { value: number };
  found: Loaded<string>;
} {
  const question = ref(0);
  const found = effectScope().run(() => useLoaded([question], read));
  if (found === undefined) throw new Error("the scope ended");
  return { question, found };
}

test("what was asked for last is what is shown, whichever answer comes last", async () => {
  const { read, give } = answers();
  const { question, found } = loading(read);
  question.value = 1;
  await nextTick();
  await give(1, "second");
  await give(0, "first");
  expect(found.value.value).toBe("second");
  expect(found.loading.value).toBe(false);
});

test("a refusal is kept until the next answer", async () => {
  const { read, give } = answers();
  const { found } = loading(read);
  await give(0, new Failure({ reason: "USER_NOT_FOUND" }));
  expect(found.failure.value?.reason).toBe("USER_NOT_FOUND");
  void found.reload();
  await give(1, "there");
  expect([found.value.value, found.failure.value]).toEqual(["there", undefined]);
});
