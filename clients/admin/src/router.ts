import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from "vue-router";
import SignPage from "./pages/SignPage.vue";
import { SECTIONS } from "./domain/sections";
import { useSession } from "./stores/session";

/** The pages of somebody who is signed in. */
const PAGES: readonly RouteRecordRaw[] = [
  { path: "users", name: "users", component: () => import("./pages/UsersPage.vue") },
  {
    path: "users/:userId/:tab?",
    name: "user",
    component: () => import("./pages/UserPage.vue"),
    props: true,
  },
  {
    path: "approvals",
    name: "approvals",
    component: () => import("./pages/ApprovalsPage.vue"),
  },
  { path: "documents", name: "kyc", component: () => import("./pages/KycPage.vue") },
  {
    path: "documents/:userId/:documentId",
    name: "review",
    component: () => import("./pages/ReviewPage.vue"),
    props: true,
  },
  { path: "flags", name: "flags", component: () => import("./pages/FlagsPage.vue") },
  {
    path: "clusters",
    name: "clusters",
    component: () => import("./pages/ClustersPage.vue"),
  },
  {
    path: "clusters/:userId",
    name: "cluster",
    component: () => import("./pages/ClusterPage.vue"),
    props: true,
  },
  { path: "audit", name: "audit", component: () => import("./pages/AuditPage.vue") },
  { path: "roles", name: "roles", component: () => import("./pages/RolesPage.vue") },
  { path: "mailbox", name: "mailbox", component: () => import("./pages/MailboxPage.vue") },
  {
    path: "maintenance",
    name: "maintenance",
    component: () => import("./pages/MaintenancePage.vue"),
  },
  {
    path: "security",
    name: "security",
    component: () => import("./pages/SecurityPage.vue"),
  },
];

/** The pages; all but signing in need a session. */
export function createAppRouter(): Router {
  const router = createRouter({
    history: createWebHistory("/admin/"),
    routes: [
      { path: "/sign-in", name: "sign-in", component: SignPage },
      {
        path: "/",
        name: "home",
        component: () => import("./pages/StaffShell.vue"),
        children: [...PAGES],
      },
      { path: "/:rest(.*)*", redirect: { name: "home" } },
    ],
  });
  router.beforeEach(async (to) => {
    const session = useSession();
    await session.resume();
    if (session.user === undefined) {
      return to.name === "sign-in" ? true : { name: "sign-in", query: { to: to.fullPath } };
    }
    if (to.name === "sign-in") return { name: "home" };
    if (to.name !== "home") return true;
    const first = SECTIONS.find((each) => session.canAny(each.permissions));
    return first === undefined ? true : { name: first.name };
  });
  return router;
}
