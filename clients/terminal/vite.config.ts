import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const platform = process.env["VERITICK_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [vue(), tailwind()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
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
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __INTLIFY_DROP_MESSAGE_COMPILER__: false,
  },
  // `npm run dev --workspace @veritick/terminal` against a platform that is up.
  server: { host: "127.0.0.1", proxy: { "/v1": platform } },
});
