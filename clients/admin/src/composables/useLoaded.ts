export { useLoaded, type Loaded } from "@veritick/ui";
