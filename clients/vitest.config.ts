import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./terminal/src", import.meta.url)) } },
  test: {
    include: ["*/tests/**/*.test.ts"],
    environment: "node",
    env: { TZ: "UTC" },
  },
});
