import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import vue from "eslint-plugin-vue";
import ts from "typescript-eslint";
import vueParser from "vue-eslint-parser";

export default ts.config(
  { ignores: ["python/", "**/dist/", "typescript/src/schema.ts"] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  ...vue.configs["flat/recommended"],
  {
    files: ["**/*.ts", "**/*.vue"],
    languageOptions: {
      parser: vueParser,
      parserOptions: {
        parser: ts.parser,
        project: "./tsconfig.json",
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: [".vue"],
      },
    },
    rules: {
      "no-undef": "off", // the compiler knows better
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: false },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "vue/block-lang": ["error", { script: { lang: "ts" } }],
      "vue/block-order": ["error", { order: ["script", "template", "style"] }],
      "vue/define-props-destructuring": "error",
      "vue/no-unused-refs": "error",
      "vue/require-default-prop": "off", // optional props say `undefined` in their type
    },
  },
  {
    // A store's setup function is a module: its length is that of its parts.
    files: ["{terminal,admin}/src/stores/*.ts"],
    rules: { "max-lines-per-function": "off" },
  },
  {
    files: ["{terminal,admin}/src/composables/*.ts"],
    rules: { "max-lines-per-function": ["error", { max: 100 }] },
  },
  {
    // Their plain-TypeScript reading mistakes an optional prop with a default for a required one.
    files: ["**/*.vue"],
    rules: { "@typescript-eslint/no-useless-default-assignment": "off" },
  },
  { files: ["**/*.js"], extends: [ts.configs.disableTypeChecked] },
  prettier,
);
