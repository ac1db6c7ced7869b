import { lookup } from "../../common/lookup.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { VolumeType } from "./type-records.ts";

/** Where the volumes are, in Cinder's terms: host@backend#pool. */
export const backend = {
  host: "slipway@files",
  name: "files",
  place: "slipway@files#files",
  serviceUuid: "51a9a7b0-0000-5000-8000-000000000005",
};

/** What the only backend says of itself that a type may ask for. */
export const capabilities = lookup<string>({
  volume_backend_name: backend.name,
  vendor_name: "Slipway",
  storage_protocol: "file",
  multiattach: "False",
  thin_provisioning_support: "True",
  thick_provisioning_support: "False",
  QoS_support: "False",
});

/** Whether the backend has what a type asks for; what is scoped to something else than capabilities asks it nothing. */
export function isPlaceable({ extraSpecs }: VolumeType): boolean {
  return Object.entries(extraSpecs).every(([name, wanted]) => {
    const [scope, capability] = name.includes(":") ? splitOnce(name) : ["capabilities", name];
    return scope !== "capabilities" || has(capability, wanted ?? "");
  });
}

function splitOnce(name: string): [string, string] {
  const at = name.indexOf(":");
  return [name.slice(0, at), name.slice(at + 1)];
}

/** Values as Cinder's scheduler compares them: bare, or with `<is>`. */
function has(capability: string, wanted: string): boolean {
  const value = capabilities[capability];
  const is = /^<is>\s+(\S+)$/.exec(wanted)?.[1];
  return value !== undefined && value.toLowerCase() === (is ?? wanted).toLowerCase();
}

/** Where a volume's content lies on this machine, for administrators: others are told nothing of the machine. */
export function fileSeenBy(scope: Scope, path: string): string | undefined {
  return isAdmin(scope) ? path : undefined;
}

/** What a machine with this one's files needs to have the volume: os-brick's `local` connector takes it. */
export function connectionInfo(path: string | undefined, mode: string): { driver_volume_type: string; data: object } {
  const access_mode = mode === "ro" ? "ro" : "rw";
  return {
    driver_volume_type: "local",
    data: {
      ...(path === undefined ? {} : { device_path: path }),
      access_mode,
      discard: false,
      qos_specs: null,
      encrypted: false,
      cacheable: false,
    },
  };
}
