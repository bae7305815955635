import type { Maintenance } from "@veritick/client";
import { onScopeDispose, shallowRef, watch, type Ref } from "vue";
import { usePlatform } from "@/platform";
import { useConnection } from "@/stores/connection";

const ASK_EVERY_MS = 30_000;

/** The maintenance that the platform is under, asked for now and then; absent when there is none. */
export function useMaintenance(): Readonly<Ref<Maintenance | undefined>> {
  const { client } = usePlatform();
  const connection = useConnection();
  const maintenance = shallowRef<Maintenance>();

  async function ask(): Promise<void> {
    try {
      const found = await client.getMaintenance();
      maintenance.value = found.active ? found : undefined;
    } catch {
      // What was said last counts; that the platform is away is said elsewhere.
    }
  }

  watch(
    () => connection.lost,
    () => void ask(),
    { immediate: true },
  );
  const asking = setInterval(() => void ask(), ASK_EVERY_MS);
  onScopeDispose(() => {
    clearInterval(asking);
  });
  return maintenance;
}
