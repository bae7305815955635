import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import vue from "@vitejs/plugin-vue";
import type { UserConfig } from "vite";

const platform = process.env["VERITICK_URL"] ?? "http://127.0.0.1:8080";

/**
 * How an app is built. `alias` is what its own files are called by; `base` is where it is served.
 *
 * `npm run dev --workspace @veritick/terminal` serves one against a platform that is up.
 */
export function appConfig(app: string, alias: string, base = "/"): UserConfig {
  return {
    base,
    publicDir: fileURLToPath(new URL("./ui/public", import.meta.url)),
    plugins: [vue(), tailwind()],
    resolve: { alias: { [alias]: fileURLToPath(new URL(`./${app}/src`, import.meta.url)) } },
    build: {
      target: "es2022",
      sourcemap: false,
      modulePreload: { polyfill: false }, // it would be an inline script
      assetsInlineLimit: 0, // nor data: addresses
    },
    define: {
      __VUE_OPTIONS_API__: false,
      __VUE_PROD_DEVTOOLS__: false,
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    },
    server: { host: "127.0.0.1", proxy: { "/v1": platform } },
  };
}
