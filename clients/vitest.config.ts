import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

function source(app: string): string {
  return fileURLToPath(new URL(`./${app}/src`, import.meta.url));
}

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { "@": source("terminal"), "~": source("admin") } },
  test: {
    include: ["*/tests/**/*.test.ts"],
    environment: "node",
    env: { TZ: "UTC" },
  },
});
