import type { Qmp, QmpEvent } from "./qmp.ts";

/** A guest takes a device out when its kernel gets to it, and one that boots may overhear it: asked again, as often and as long as Nova does. */
const timeoutMs = 20_000;
const usualAttempts = 8;

/**
 * Has the guest take a device out. @param attempts of 20 s each; nothing else is done to the guest meanwhile
 * @throws Error where it keeps it
 */
export async function takeOut(qmp: Qmp, device: string, attempts = usualAttempts): Promise<void> {
  const isOut = ({ event, data }: QmpEvent) => event === "DEVICE_DELETED" && data?.device === device;
  const out = qmp.next(isOut, attempts * timeoutMs);
  out.catch(() => undefined);
  const ask = () => qmp.execute("device_del", { id: device });
  await ask();
  const again = setInterval(() => void ask().catch(() => undefined), timeoutMs); // refused while the first is still waited for
  try {
    await out;
  } finally {
    clearInterval(again);
  }
}
