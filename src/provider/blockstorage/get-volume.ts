import { listAll } from "../../openstack/pages.ts";
import type { ProviderFunction } from "../function.ts";
import { askedFor, exactlyOne } from "../lookup.ts";
import { map, text } from "../schema/property.ts";
import { isMap, isZero, textOf } from "../schema/values.ts";

interface Volume {
  id: string;
  name: string | null;
  size: number;
  status: string;
  bootable: string;
  volume_type: string | null;
  source_volid: string | null;
  multiattach: boolean;
  metadata: Record<string, string>;
  attachments: { id: string; server_id: string; device: string }[];
  /** For administrators. */
  "os-vol-host-attr:host"?: string | null;
}

/** `openstack_blockstorage_volume_v3` as a data source: by name, status and metadata; the other arguments filter nothing. */
export const getVolume: ProviderFunction = {
  token: "openstack:blockstorage/getVolumeV3:getVolumeV3",
  args: {
    region: text(),
    name: text(),
    status: text(),
    metadata: map(),
    bootable: text(),
    host: text(),
    volumeType: text(),
  },
  async call({ session }, args) {
    const list = (query = {}) => listAll<Volume>(session, "volumev3", "/volumes/detail", "volumes", query);
    const { metadata } = args;
    const found = await exactlyOne({
      what: "volume",
      asked: askedFor(args),
      found: await list({
        name: textOf(args, "name"),
        status: textOf(args, "status"),
        metadata: isMap(metadata) && !isZero(metadata) ? pythonText(metadata as Record<string, string>) : undefined,
      }),
      describe: (one) => `${one.name || "without a name"} (${one.id})`,
      others: list,
      official: {
        none: "Your openstack_blockstorage_volume_v3 query returned no results",
        several: "Your openstack_blockstorage_volume_v3 query returned multiple results",
      },
    });
    return {
      ...args,
      id: found.id,
      name: found.name ?? "",
      size: found.size,
      status: found.status,
      bootable: found.bootable,
      volumeType: found.volume_type ?? "",
      sourceVolumeId: found.source_volid ?? "",
      multiattach: found.multiattach,
      metadata: found.metadata,
      host: found["os-vol-host-attr:host"] ?? "",
      attachments: found.attachments.map((one) => ({ id: one.id, instanceId: one.server_id, device: one.device })),
    };
  },
};

/** Cinder wants wanted metadata as Python writes it: `{'role':'data'}`. */
function pythonText(pairs: Record<string, string>): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const members = Object.entries(pairs).map(([key, value]) => `${quoted(key)}:${quoted(value)}`);
  return `{${members.join(", ")}}`;
}
