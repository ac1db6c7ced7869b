import { changed } from "../volume/records.ts";
import type { Fault, RequestHook } from "./fault.ts";

const attachments = "/compute/v2.1/servers/:id/os-volume_attachments";

interface Attachment {
  device?: string;
}

/** `/dev/vdb` as the guest's kernel might have it: the next letter. */
function renamed<T extends Attachment>(attachment: T): T {
  const { device } = attachment;
  if (typeof device !== "string") return attachment;
  const letter = String.fromCharCode(device.charCodeAt(device.length - 1) + 1);
  return { ...attachment, device: device.slice(0, -1) + letter };
}

const looks: RequestHook[] = [`${attachments}/:volume`, attachments].map((route) => ({
  method: "GET",
  route,
  after: (_request, _reply, body) => {
    const answer = JSON.parse(body) as { volumeAttachment?: Attachment; volumeAttachments?: Attachment[] };
    if (answer.volumeAttachment !== undefined) answer.volumeAttachment = renamed(answer.volumeAttachment);
    if (answer.volumeAttachments !== undefined) answer.volumeAttachments = answer.volumeAttachments.map(renamed);
    return JSON.stringify(answer);
  },
}));

/** What goes wrong between a volume and a server. */
export const volumeFaults: Fault[] = [
  {
    row: "P14",
    name: "volume-stuck-detaching",
    does: "a detachment is taken, 202, and never ends: the volume stays `detaching`; it is `in-use` again when disarmed",
    times: 1,
    requests: [
      {
        method: "DELETE",
        route: `${attachments}/:volume`,
        before: (request, { volumes }) => {
          const volume = volumes.get((request.params as { volume: string }).volume);
          if (volume === undefined) return undefined;
          volumes.put(changed(volume, { status: "detaching" }));
          return { status: 202 };
        },
      },
    ],
    undo: ({ volumes }) => {
      for (const volume of volumes.list(({ status }) => status === "detaching")) {
        volumes.put(changed(volume, { status: "in-use" }));
      }
    },
  },
  {
    row: "P14",
    name: "device-renamed",
    does: "Nova tells another device name than the guest has: the next letter",
    requests: looks,
  },
];
