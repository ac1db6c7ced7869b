import { gunzipSync } from "node:zlib";
import { parse, stringify } from "yaml";
import type { Server } from "../compute/records.ts";
import type { GuestSpec } from "../hypervisors/hypervisor.ts";
import type { ArmedFaults } from "./armed.ts";
import type { CloudConfig } from "./fault.ts";
import { ledger } from "./ledger.ts";

const USER_DATA = "openstack/latest/user_data";

/**
 * Lets faults get between a server and its guest.
 * @param dies called for a guest that is to end by itself so many milliseconds later
 * @returns what the hypervisor is given to boot
 * @throws Error with the server's `fault.message`, where no guest is to be made
 */
export function bootWithFaults(
  armed: ArmedFaults,
  server: Server,
  spec: GuestSpec,
  dies: (id: string, afterMs: number) => void,
): GuestSpec {
  const occasion = server.launchedAt === null ? "first" : "later";
  let { configDrive } = spec;
  for (const fault of ledger) {
    if (fault.boot?.boot !== occasion || armed.find(fault) === undefined) continue;
    const config = cloudConfig(configDrive[USER_DATA]);
    // one that changes cloud-config waits for a server that has some
    if (fault.boot.userData !== undefined && config === undefined) continue;
    const about = `server ${server.name} ${server.id}`;
    const struck = armed.strike(fault, { what: `boot of ${about}`, about });
    if (struck === undefined) continue;
    if (fault.boot.refuse !== undefined) throw new Error(fault.boot.refuse(server));
    if (fault.boot.dies) dies(server.id, struck.delayMs);
    if (fault.boot.userData === undefined || config === undefined) continue;
    const changed = stringify(fault.boot.userData(config, struck.delayMs), { version: "1.1", lineWidth: 0 });
    configDrive = withUserData(configDrive, `#cloud-config\n${changed}`);
  }
  return { ...spec, configDrive };
}

/** In every version's folder: which of them a guest reads is its own choice. */
function withUserData(configDrive: GuestSpec["configDrive"], content: string): GuestSpec["configDrive"] {
  const isUserData = (path: string) => /\/user[-_]data$/.test(path);
  return Object.fromEntries(
    Object.entries(configDrive).map(([path, former]) => [path, isUserData(path) ? content : former]),
  );
}

/** User-data as cloud-init reads it, unpacked where it is packed; undefined where it is something else than cloud-config. */
function cloudConfig(content: string | Uint8Array | undefined): CloudConfig | undefined {
  if (content === undefined) return undefined;
  const bytes = Buffer.from(content);
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("utf8");
  if (!/^#cloud-config\s*\n/.test(text)) return undefined;
  const parsed: unknown = parse(text, { version: "1.1" });
  return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) ? (parsed as CloudConfig) : undefined;
}
