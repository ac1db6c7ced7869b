import { gunzipSync } from "node:zlib";
import { parse, stringify } from "yaml";
import type { Server } from "../compute/records.ts";
import type { GuestSpec } from "../hypervisors/hypervisor.ts";
import type { ArmedFaults } from "./armed.ts";
import type { BootHook, CloudConfig } from "./fault.ts";
import { ledger } from "./ledger.ts";

const USER_DATA = "openstack/latest/user_data";

/**
 * Lets faults get between a server and its guest.
 * @returns what the hypervisor is given to boot
 * @throws Error with the server's `fault.message`, where no guest is to be made
 */
export function bootWithFaults(armed: ArmedFaults, server: Server, spec: GuestSpec): GuestSpec {
  const occasion = server.launchedAt === null ? "first" : "later";
  let { configDrive } = spec;
  for (const fault of ledger) {
    if (fault.boot?.boot !== occasion || armed.find(fault) === undefined) continue;
    const altered = changedDrive(configDrive, fault.boot);
    if (altered === undefined) continue;
    if (armed.strike(fault, `boot of server ${server.name} ${server.id}`) === undefined) continue;
    if (fault.boot.refuse !== undefined) throw new Error(fault.boot.refuse(server));
    configDrive = altered;
  }
  return { ...spec, configDrive };
}

/** The drive as the fault has it; undefined where there is no cloud-config that it could change. */
function changedDrive(drive: GuestSpec["configDrive"], { userData }: BootHook): GuestSpec["configDrive"] | undefined {
  if (userData === undefined) return drive;
  const config = cloudConfig(drive[USER_DATA]);
  if (config === undefined) return undefined;
  return { ...drive, [USER_DATA]: `#cloud-config\n${stringify(userData(config), { version: "1.1", lineWidth: 0 })}` };
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
