import type { PropertyMap } from "../../engine/resource-provider.ts";
import { listFlavors } from "../../openstack/compute/flavors.ts";
import { listAll } from "../../openstack/pages.ts";
import type { Session } from "../../openstack/session.ts";
import type { Context, Made } from "../kind.ts";
import { exactlyOne } from "../lookup.ts";
import { toApi } from "../schema/api-form.ts";
import { isMap, mapsOf, textOf, textsOf } from "../schema/values.ts";
import { networkEntries, networksBody } from "./instance-networks.ts";
import { blockDeviceFields, schedulerHintFields } from "./instance-properties.ts";

/** Creates the server and returns its id at once. */
export async function createServer({ session, env }: Context, inputs: PropertyMap): Promise<Made> {
  const [imageRef, flavorRef, networks] = await Promise.all([
    imageOf(session, inputs, env),
    flavorOf(session, inputs, env),
    networksBody(session, networkEntries(inputs)),
  ]);
  const tags = textsOf(inputs, "tags");
  const hints = mapsOf(inputs, "schedulerHints").map((hint) => ({
    ...toApi(schedulerHintFields, hint),
    ...(isMap(hint.additionalProperties) ? hint.additionalProperties : {}),
  }));
  const version = microversion(inputs);
  const made = await session.request<{ server: { id: string } }>("compute", "POST", "/servers", {
    body: {
      server: {
        name: inputs.name,
        imageRef,
        flavorRef,
        config_drive: inputs.configDrive === true,
        user_data: encoded(textOf(inputs, "userData") ?? ""),
        ...optional("key_name", textOf(inputs, "keyPair")),
        ...optional("adminPass", textOf(inputs, "adminPass")),
        ...optional("metadata", isMap(inputs.metadata) ? inputs.metadata : undefined),
        ...optional("availability_zone", textOf(inputs, "availabilityZone") ?? textOf(inputs, "availabilityZoneHints")),
        ...optional("networks", networks.length > 0 ? networks : textOf(inputs, "networkMode")),
        ...optional("security_groups", groupsOf(inputs)),
        ...optional("block_device_mapping_v2", blockDevicesOf(inputs)),
        ...optional("personality", personalityOf(inputs)),
        ...optional("tags", tags.length > 0 ? tags : undefined),
      },
      ...optional("os:scheduler_hints", hints[0]),
    },
    expect: [200, 201, 202],
    ...(version === undefined ? {} : { microversion: version }),
  });
  return { id: made.body.server.id, requestId: made.requestId };
}

function optional(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value };
}

/** The lowest microversion that knows everything that the body says; 2.1 where none is needed. */
function microversion(inputs: PropertyMap): string | undefined {
  const devices = mapsOf(inputs, "blockDevices");
  if (devices.some((device) => textOf(device, "volumeType") !== undefined)) return "2.67";
  if (devices.some((device) => device.multiattach === true)) return "2.60";
  if (textsOf(inputs, "tags").length > 0) return "2.52";
  return textOf(inputs, "networkMode") === undefined ? undefined : "2.37";
}

/**
 * Nova takes user-data in base64. Text that is base64 already (a gzip archive) is passed on, as the official provider does;
 * cloud-config and scripts begin with `#`, which base64 has not.
 */
export function encoded(userData: string): string {
  const bare = userData.replace(/[\r\n]/g, "");
  const isBase64 = bare.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(bare);
  return isBase64 ? userData : Buffer.from(userData, "utf8").toString("base64");
}

function groupsOf(inputs: PropertyMap): object[] | undefined {
  const names = textsOf(inputs, "securityGroups");
  return names.length > 0 ? names.map((name) => ({ name })) : undefined;
}

function blockDevicesOf(inputs: PropertyMap): object[] | undefined {
  const devices = mapsOf(inputs, "blockDevices");
  return devices.length > 0 ? devices.map((device) => toApi(blockDeviceFields, device)) : undefined;
}

/** Nova wants an empty text where the server boots from a volume. */
async function imageOf(session: Session, inputs: PropertyMap, env: NodeJS.ProcessEnv): Promise<string> {
  const devices = mapsOf(inputs, "blockDevices");
  const local = devices.some((one) => one.sourceType === "image" && one.destinationType === "local");
  if (devices.length > 0 && !local) return "";
  return chosenImage(session, inputs, env);
}

/** The image that the program names, else the environment's. @throws SlipwayError E_LOOKUP */
export async function chosenImage(session: Session, inputs: PropertyMap, env: NodeJS.ProcessEnv): Promise<string> {
  const id = textOf(inputs, "imageId") ?? (env.OS_IMAGE_ID || undefined);
  return id ?? imageNamed(session, textOf(inputs, "imageName") ?? env.OS_IMAGE_NAME ?? "");
}

/** Files for Nova to put into the guest, which it does up to 2.56. */
export function personalityOf(inputs: PropertyMap): object[] | undefined {
  const files = mapsOf(inputs, "personalities");
  if (files.length === 0) return undefined;
  return files.map(({ file, content }) => ({
    path: file,
    contents: Buffer.from(String(content ?? "")).toString("base64"),
  }));
}

/** The id of the image with exactly this name. @throws SlipwayError E_LOOKUP */
async function imageNamed(session: Session, name: string): Promise<string> {
  const list = (query: Record<string, string>) =>
    listAll<{ id: string; name: string }>(session, "image", "/images", "images", query);
  const image = await exactlyOne({
    what: "image",
    asked: name,
    found: await list({ name }),
    describe: (one) => `${one.name} (${one.id})`,
    others: () => list({ status: "active" }),
  });
  return image.id;
}

/** The id of the flavor that the program names, else the environment's. @throws SlipwayError E_LOOKUP */
export async function flavorOf(session: Session, inputs: PropertyMap, env: NodeJS.ProcessEnv): Promise<string> {
  const id = textOf(inputs, "flavorId") ?? (env.OS_FLAVOR_ID || undefined);
  if (id !== undefined) return id;
  const name = textOf(inputs, "flavorName") ?? env.OS_FLAVOR_NAME ?? "";
  const all = await listFlavors(session);
  const flavor = await exactlyOne({
    what: "flavor",
    asked: name,
    found: all.filter((one) => one.name === name),
    describe: (one) => one.name,
    others: async () => all,
  });
  return flavor.id;
}
