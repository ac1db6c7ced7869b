import { createHash } from "node:crypto";
import type { Image } from "../image/records.ts";
import type { Fault, FaultContext } from "./fault.ts";
import { coresUsedUp, floatingIpsUsedUp } from "./full-quota.ts";

const serverCreate = { method: "POST", route: "/compute/v2.1/servers" };

/** The id of an image's twin: the same for the same image, so that it is known for one when it is to go. */
function twinOf({ id }: Image): string {
  const hex = createHash("sha256").update(`twin of ${id}`).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

function makeTwins({ images }: FaultContext): undefined {
  const known = images.list();
  const twins = new Set(known.map(twinOf));
  for (const image of known) if (!twins.has(image.id)) images.put({ ...image, id: twinOf(image), ownsContent: false });
}

function setStatus({ images }: FaultContext, from: Image["status"], to: Image["status"]): undefined {
  for (const image of images.list(({ status }) => status === from)) images.put({ ...image, status: to });
}

/** What goes wrong between an image's name and a server. */
export const serverFaults: Fault[] = [
  {
    row: "P11",
    name: "two-images-same-name",
    does: "Glance has every image twice, under the same name; the twins go when it is disarmed",
    requests: [{ method: "GET", route: "/image/v2/images", before: (_request, context) => makeTwins(context) }],
    undo: ({ images }) => {
      for (const image of images.list()) images.delete(twinOf(image));
    },
  },
  {
    row: "P11",
    name: "image-deactivated",
    does: "an administrator deactivates the images just before a server is made: 400 `Image … is not active.`; active again when disarmed",
    times: 1,
    requests: [{ ...serverCreate, before: (_request, context) => setStatus(context, "active", "deactivated") }],
    undo: (context) => setStatus(context, "deactivated", "active"),
  },
  {
    row: "P12",
    name: "no-valid-host",
    does: "the scheduler finds no room: the server goes into ERROR with `No valid host was found. `",
    boot: { boot: "first", refuse: () => "No valid host was found. " },
  },
  {
    row: "P12",
    name: "gpu-exhausted",
    does: "every host's GPUs are taken when the guest is to be built: ERROR with `Exceeded maximum number of retries. …`",
    boot: {
      boot: "first",
      refuse: ({ id }) =>
        `Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance ${id}.`,
    },
  },
  {
    row: "P12",
    name: "quota-cores",
    does: "the project uses all its cores: 403 `Quota exceeded for cores: …`",
    requests: coresUsedUp,
  },
  {
    row: "P12",
    name: "quota-fip",
    does: "the same as P05:fip-quota, met while the resources are made",
    requests: floatingIpsUsedUp,
  },
  {
    row: "P15",
    name: "userdata-413",
    does: "no request with user-data is taken: 413 `Request is too large. Larger than max_request_body_size (114688).`",
    requests: [
      {
        ...serverCreate,
        when: ({ body }) => Boolean((body as { server?: { user_data?: unknown } } | undefined)?.server?.user_data),
        before: () => ({
          status: 413,
          html: "<html>\n <head>\n  <title>413 Request Entity Too Large</title>\n </head>\n <body>\n  <h1>413 Request Entity Too Large</h1>\n  Request is too large. Larger than max_request_body_size (114688).<br /><br />\n\n\n\n </body>\n</html>",
        }),
      },
    ],
  },
];
