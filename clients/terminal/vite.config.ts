import { defineConfig, mergeConfig } from "vite";
import { appConfig } from "../vite.app";

export default defineConfig(
  mergeConfig(appConfig("terminal", "@"), {
    define: {
      __VUE_I18N_FULL_INSTALL__: false,
      __VUE_I18N_LEGACY_API__: false,
      __INTLIFY_PROD_DEVTOOLS__: false,
      __INTLIFY_DROP_MESSAGE_COMPILER__: false,
    },
  }),
);
