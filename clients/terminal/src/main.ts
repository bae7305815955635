import { createPinia } from "pinia";
import { createApp } from "vue";
import App from "./App.vue";
import { i18n } from "./messages";
import { connectPlatform, providePlatform } from "./platform";
import { createAppRouter } from "./router";
import "./style.css";

const app = createApp(App);
providePlatform(app, connectPlatform());
app.use(createPinia());
app.use(i18n);
app.use(createAppRouter());
app.mount("#app");
