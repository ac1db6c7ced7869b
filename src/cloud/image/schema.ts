import { lookup } from "../../common/lookup.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { glance } from "./faults.ts";

/** A property as Glance's JSON schema describes it, without its words for humans. */
interface Property {
  type: string | string[];
  enum?: (string | null)[];
  maxLength?: number;
  pattern?: string;
  readOnly?: boolean;
  is_base?: boolean;
  items?: object;
}

const uuid = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";
const text = (maxLength: number): Property => ({ type: ["null", "string"], maxLength });
const extra = (type: Property["type"] = "string"): Property => ({ type, is_base: false });
const readOnly: Property = { type: "string", readOnly: true };

const statuses = [
  ...["queued", "saving", "active", "killed", "deleted", "uploading", "importing", "pending_delete", "deactivated"],
];
const visibilities = ["community", "public", "private", "shared"];
const containerFormats = [null, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"];
const diskFormats = [null, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"];

const properties = lookup<Property>({
  id: { type: "string", pattern: uuid },
  name: text(255),
  status: { type: "string", readOnly: true, enum: statuses },
  visibility: { type: "string", enum: visibilities },
  protected: { type: "boolean" },
  os_hidden: { type: "boolean" },
  checksum: { ...text(32), readOnly: true },
  os_hash_algo: { ...text(64), readOnly: true },
  os_hash_value: { ...text(128), readOnly: true },
  owner: text(255),
  size: { type: ["null", "integer"], readOnly: true },
  virtual_size: { type: ["null", "integer"], readOnly: true },
  container_format: { type: ["null", "string"], enum: containerFormats },
  disk_format: { type: ["null", "string"], enum: diskFormats },
  created_at: readOnly,
  updated_at: readOnly,
  tags: { type: "array", items: { type: "string", maxLength: 255 } },
  direct_url: readOnly,
  min_ram: { type: "integer" },
  min_disk: { type: "integer" },
  self: readOnly,
  file: readOnly,
  stores: readOnly,
  schema: readOnly,
  locations: { type: "array", items: { type: "object", required: ["url", "metadata"] } },
  kernel_id: { ...extra(["null", "string"]), pattern: uuid },
  ramdisk_id: { ...extra(["null", "string"]), pattern: uuid },
  instance_uuid: extra(),
  architecture: extra(),
  os_distro: extra(),
  os_version: extra(),
  description: extra(),
  cinder_encryption_key_id: extra(),
  cinder_encryption_key_deletion_policy: extra(),
});

const image = {
  name: "image",
  properties,
  additionalProperties: { type: "string" },
  links: [
    { rel: "self", href: "{self}" },
    { rel: "enclosure", href: "{file}" },
    { rel: "describedby", href: "{schema}" },
  ],
};
const member = {
  name: "member",
  properties: {
    member_id: { type: "string" },
    image_id: { type: "string", pattern: uuid },
    created_at: { type: "string" },
    updated_at: { type: "string" },
    status: { type: "string", enum: ["pending", "accepted", "rejected"] },
    schema: readOnly,
  },
};
const collection = (name: string, items: object, links: object[]) => ({
  name,
  properties: {
    [name]: { type: "array", items },
    ...(name === "images" ? { first: { type: "string" }, next: { type: "string" } } : {}),
    schema: { type: "string" },
  },
  links,
});

/** `GET /v2/schemas/{name}` */
export const schemas: Record<string, object> = {
  image,
  images: collection("images", image, [
    { rel: "first", href: "{first}" },
    { rel: "next", href: "{next}" },
    { rel: "describedby", href: "{schema}" },
  ]),
  member,
  members: collection("members", member, [{ rel: "describedby", href: "{schema}" }]),
};

/** @throws ApiError 400 in Glance's words for a field that is not as the schema says */
export function demandImageFields(fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    const wrong = problem(value, properties[name] ?? { type: "string" });
    if (wrong !== undefined) throw glance.badRequest(`Provided object does not match schema 'image': ${wrong}`);
  }
}

function problem(value: unknown, { type, enum: allowed, maxLength, pattern, items }: Property): string | undefined {
  const types = [type].flat();
  if (!types.some((one) => isOf(value, one))) {
    return `${pythonRepr(value)} is not of type ${types.map((one) => `'${one}'`).join(", ")}`;
  }
  if (allowed !== undefined && !allowed.includes(value as string | null)) {
    return `${pythonRepr(value)} is not one of ${pythonRepr(allowed)}`;
  }
  if (typeof value === "string" && maxLength !== undefined && value.length > maxLength) {
    return `${pythonRepr(value)} is too long`;
  }
  if (typeof value === "string" && pattern !== undefined && !new RegExp(pattern).test(value)) {
    return `${pythonRepr(value)} does not match ${pythonRepr(pattern)}`;
  }
  if (!Array.isArray(value) || items === undefined) return undefined;
  return value.map((item) => problem(item, items as Property)).find((wrong) => wrong !== undefined);
}

function isOf(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}
