import { createPinia } from "pinia";
import { createApp } from "vue";
import App from "./App.vue";
import { connectStaff, provideStaff } from "./platform";
import { createAppRouter } from "./router";
import "./style.css";

const app = createApp(App);
provideStaff(app, connectStaff());
app.use(createPinia());
app.use(createAppRouter());
app.mount("#app");
