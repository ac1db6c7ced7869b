import type { PropertyMap } from "../../engine/resource-provider.ts";
import { OpenStackError } from "../../openstack/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import {
  deleteUnlessGone,
  type Observed,
  untilAnswered,
  untilGone,
  untilStatus,
  Vanished,
} from "../../openstack/waiting.ts";
import { observeVolume } from "../blockstorage/observe.ts";
import type { Context, Made, ResourceKind } from "../kind.ts";
import { flag, object, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";
import { partsOf } from "./attachment-id.ts";

/** An attachment as Nova shows it up to 2.88: its id is the volume's. */
interface Attachment {
  id: string;
  serverId: string;
  volumeId: string;
  device: string | null;
}

/** `openstack_compute_volume_attach_v2`: a volume in a server; its id is `server/attachment`. */
export const volumeAttach: ResourceKind = {
  type: "openstack:compute/volumeAttach:VolumeAttach",
  autoName: false,
  timeouts: { create: 600, delete: 600 },
  properties: {
    region: text({ computed: true, replaces: true }),
    instanceId: text({ required: true, replaces: true }),
    volumeId: text({ required: true, replaces: true }),
    device: text({ computed: true }),
    multiattach: flag({ kept: true, replaces: true }),
    vendorOptions: object({ ignoreVolumeConfirmation: flag({ default: false }) }, { kept: true, replaces: true }),
  },

  create: attach,

  async settle(context, id, inputs) {
    const volumeId = textOf(inputs, "volumeId") ?? "";
    const confirmed = !(isMap(inputs.vendorOptions) && inputs.vendorOptions.ignoreVolumeConfirmation === true);
    await untilStatus(context, `the attachment ${id}`, ["attached"], () => observe(context, id));
    if (!confirmed) return;
    // Nova forgets an attachment that its hypervisor refused: the volume is free again then, and no wait would end
    await untilStatus(context, `volume ${volumeId}`, ["in-use"], async () => {
      const [volume, attachment] = await Promise.all([observeVolume(context, volumeId), observe(context, id)]);
      const refused = attachment === undefined && volume?.status === "available";
      if (refused) throw new Vanished(`the attachment ${id}: the server did not take the volume, it`);
      return volume;
    });
  },

  async read(context, id) {
    const found = await show(context, id);
    if (found === undefined) return undefined;
    return { instanceId: found.serverId, volumeId: found.volumeId, device: found.device ?? "" };
  },

  async delete(context, id) {
    // 400: on its way in or out, as Cinder tells Nova
    await deleteUnlessGone(context, () => context.session.request("compute", "DELETE", pathOf(id)), [400, 409]);
    await untilGone(context, `the attachment ${id}`, () => observe(context, id));
  },

  async candidates(context, inputs) {
    const id = `${textOf(inputs, "instanceId")}/${textOf(inputs, "volumeId")}`;
    return (await show(context, id)) === undefined ? [] : [{ id, createdAt: new Date().toISOString() }];
  },
};

/** A volume that several servers share is attached by one at a time: Nova answers 400 to the others meanwhile. */
async function attach(context: Context, inputs: PropertyMap): Promise<Made> {
  const shared = inputs.multiattach === true;
  const device = textOf(inputs, "device");
  const post = () =>
    context.session.request<{ volumeAttachment: Attachment }>(
      "compute",
      "POST",
      `/servers/${textOf(inputs, "instanceId")}/os-volume_attachments`,
      {
        body: { volumeAttachment: { volumeId: inputs.volumeId, ...(device === undefined ? {} : { device }) } },
        ...(shared ? { microversion: "2.60" } : {}),
      },
    );
  const busy = (error: unknown) => shared && error instanceof OpenStackError && error.status === 400;
  const made = await untilAnswered(context, post, busy);
  const { serverId, id } = made.body.volumeAttachment;
  return { id: `${serverId}/${id}`, requestId: made.requestId };
}

function pathOf(id: string): string {
  const { serverId, part } = partsOf(id);
  return `/servers/${serverId}/os-volume_attachments/${part}`;
}

async function show({ session }: Context, id: string): Promise<Attachment | undefined> {
  const found = await orMissing(() => session.request<{ volumeAttachment: Attachment }>("compute", "GET", pathOf(id)));
  return found?.body.volumeAttachment;
}

async function observe(context: Context, id: string): Promise<Observed | undefined> {
  return (await show(context, id)) === undefined ? undefined : { status: "attached" };
}
