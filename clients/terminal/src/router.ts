import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from "vue-router";
import ConfirmEmailPage from "./pages/ConfirmEmailPage.vue";
import ForgotPasswordPage from "./pages/ForgotPasswordPage.vue";
import ResetPasswordPage from "./pages/ResetPasswordPage.vue";
import SignPage from "./pages/SignPage.vue";
import { useInvitation } from "./stores/invitation";
import { useSession } from "./stores/session";

/** The pages around letters: for whoever opens them, signed in or not. */
const OPEN: ReadonlySet<unknown> = new Set(["forgot-password", "confirm-email", "reset-password"]);

/** The pages by which users look after themselves. */
const OWN_ROUTES: RouteRecordRaw = {
  path: "account",
  component: () => import("./pages/account/AccountShell.vue"),
  redirect: { name: "profile" },
  children: [
    {
      path: "profile",
      name: "profile",
      component: () => import("./pages/account/ProfilePage.vue"),
    },
    {
      path: "security",
      name: "security",
      component: () => import("./pages/account/SecurityPage.vue"),
    },
    {
      path: "verification",
      name: "verification",
      component: () => import("./pages/account/VerificationPage.vue"),
    },
    {
      path: "protection",
      name: "protection",
      component: () => import("./pages/account/ProtectionPage.vue"),
    },
    {
      path: "data",
      name: "data",
      component: () => import("./pages/account/DataPage.vue"),
    },
  ],
};

/** The pages; all but these, and signing in and up, need a session. */
export function createAppRouter(): Router {
  const router = createRouter({
    history: createWebHistory(),
    routes: [
      { path: "/sign-in", name: "sign-in", component: SignPage, props: { mode: "in" } },
      { path: "/sign-up", name: "sign-up", component: SignPage, props: { mode: "up" } },
      { path: "/forgot-password", name: "forgot-password", component: ForgotPasswordPage },
      { path: "/confirm-email", name: "confirm-email", component: ConfirmEmailPage },
      { path: "/reset-password", name: "reset-password", component: ResetPasswordPage },
      {
        path: "/",
        component: () => import("./pages/TradingShell.vue"),
        children: [
          { path: "", name: "trade", component: () => import("./pages/TradePage.vue") },
          {
            path: "statement",
            name: "statement",
            component: () => import("./pages/StatementPage.vue"),
          },
          { path: "profit", name: "profit", component: () => import("./pages/ProfitPage.vue") },
          OWN_ROUTES,
          { path: "history", name: "history", component: () => import("./pages/HistoryPage.vue") },
        ],
      },
      { path: "/:rest(.*)*", redirect: { name: "trade" } },
    ],
  });
  router.beforeEach(async (to) => {
    useInvitation().take(to.query.ref);
    const session = useSession();
    await session.resume();
    if (OPEN.has(to.name)) return true;
    const signing = to.name === "sign-in" || to.name === "sign-up";
    if (session.user === undefined && !signing) {
      return { name: session.known ? "sign-in" : "sign-up" };
    }
    return session.user !== undefined && signing ? { name: "trade" } : true;
  });
  return router;
}
