import type { PropertyMap } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { untilStatus } from "../../openstack/waiting.ts";
import type { Context, ResourceChange } from "../kind.ts";
import { isMap, textOf, textsOf } from "../schema/values.ts";
import { chosenImage, flavorOf, personalityOf } from "./instance-create.ts";
import { observeServer } from "./instance-read.ts";

/** Makes the server what the inputs say, in the official provider's order. */
export async function updateServer(context: Context, id: string, change: ResourceChange): Promise<void> {
  const { session } = context;
  const { olds, inputs, changed } = change;
  if (changed.has("name")) {
    await session.request("compute", "PUT", `/servers/${id}`, { body: { server: { name: inputs.name } } });
  }
  // a shelved server cannot be changed, so that comes last, when the server settles
  const power = textOf(inputs, "powerState") ?? "active";
  if (changed.has("powerState") && power !== "shelved_offloaded") await ensurePowerState(context, id, power);
  if (changed.has("metadata")) await replaceMetadata(context, id, olds, inputs);
  if (changed.has("securityGroups")) await replaceGroups(context, id, olds, inputs);
  if (changed.has("adminPass")) await act(context, id, { changePassword: { adminPass: inputs.adminPass } });
  if (changed.has("flavorId") || changed.has("flavorName")) await resize(context, id, inputs);
  if (["imageId", "imageName", "personalities"].some((name) => changed.has(name))) await rebuild(context, id, inputs);
  if (changed.has("tags")) await replaceTags(context, id, olds, inputs);
}

const powerActions: Record<string, { from: string[]; action: object; target: string }[]> = {
  active: [
    { from: ["SHUTOFF"], action: { "os-start": null }, target: "ACTIVE" },
    { from: ["SHELVED", "SHELVED_OFFLOADED"], action: { unshelve: null }, target: "ACTIVE" },
  ],
  shutoff: [{ from: ["ACTIVE"], action: { "os-stop": null }, target: "SHUTOFF" }],
  shelved_offloaded: [{ from: ["ACTIVE", "SHUTOFF"], action: { shelve: null }, target: "SHELVED_OFFLOADED" }],
};

/** The server has the power state when this returns; one that has it already is left alone. */
export async function ensurePowerState(context: Context, id: string, wanted: string): Promise<void> {
  const status = (await observeServer(context.session, id))?.status ?? "";
  const step = powerActions[wanted]?.find(({ from }) => from.includes(status));
  if (step === undefined) return;
  await act(context, id, step.action);
  await until(context, id, [step.target]);
}

/** Keys that the program no longer gives go; foreign ones stay. */
async function replaceMetadata(
  { session }: Context,
  id: string,
  olds: PropertyMap,
  inputs: PropertyMap,
): Promise<void> {
  const before = isMap(olds.metadata) ? olds.metadata : {};
  const after = isMap(inputs.metadata) ? inputs.metadata : {};
  for (const key of Object.keys(before).filter((name) => after[name] === undefined)) {
    const path = `/servers/${id}/metadata/${encodeURIComponent(key)}`;
    await orMissing(() => session.request("compute", "DELETE", path));
  }
  await session.request("compute", "POST", `/servers/${id}/metadata`, { body: { metadata: after } });
}

async function replaceGroups(context: Context, id: string, olds: PropertyMap, inputs: PropertyMap): Promise<void> {
  const [before, after] = [textsOf(olds, "securityGroups"), textsOf(inputs, "securityGroups")];
  for (const name of before.filter((one) => !after.includes(one))) {
    await orMissing(() => act(context, id, { removeSecurityGroup: { name } }));
  }
  for (const name of after.filter((one) => !before.includes(one))) {
    await act(context, id, { addSecurityGroup: { name } });
  }
}

async function resize(context: Context, id: string, inputs: PropertyMap): Promise<void> {
  await act(context, id, { resize: { flavorRef: await flavorOf(context.session, inputs, context.env) } });
  const unconfirmed = isMap(inputs.vendorOptions) && inputs.vendorOptions.ignoreResizeConfirmation === true;
  if (!unconfirmed) {
    await until(context, id, ["VERIFY_RESIZE"]);
    await act(context, id, { confirmResize: null });
  }
  await until(context, id, ["ACTIVE", "SHUTOFF"]);
}

async function rebuild(context: Context, id: string, inputs: PropertyMap): Promise<void> {
  const personality = personalityOf(inputs);
  const imageRef = await chosenImage(context.session, inputs, context.env);
  await act(context, id, { rebuild: { imageRef, ...(personality === undefined ? {} : { personality }) } });
  await until(context, id, ["ACTIVE", "SHUTOFF"]);
}

async function replaceTags({ session }: Context, id: string, olds: PropertyMap, inputs: PropertyMap): Promise<void> {
  const former = new Set(textsOf(olds, "tags"));
  const foreign = textsOf(olds, "allTags").filter((tag) => !former.has(tag));
  await session.request("compute", "PUT", `/servers/${id}/tags`, {
    body: { tags: [...new Set([...foreign, ...textsOf(inputs, "tags")])] },
    microversion: "2.26",
  });
}

function act({ session }: Context, id: string, action: object): Promise<unknown> {
  return session.request("compute", "POST", `/servers/${id}/action`, { body: action, expect: [200, 201, 202, 204] });
}

function until(context: Context, id: string, targets: string[]): Promise<void> {
  return untilStatus(context, `server ${id}`, targets, () => observeServer(context.session, id));
}
