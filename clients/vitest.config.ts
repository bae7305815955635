import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { "@": fileURLToPath(new URL("./terminal/src", import.meta.url)) } },
  test: {
    include: ["*/tests/**/*.test.ts"],
    environment: "node",
    env: { TZ: "UTC" },
  },
});
