/// <reference types="vite/client" />

// For the linter, which does not look into components; the compiler (vue-tsc) does.
declare module "*.vue" {
  import type { DefineComponent } from "vue";
  const component: DefineComponent;
  export default component;
}
