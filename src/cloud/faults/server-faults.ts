import { randomUUID } from "node:crypto";
import { webobPage } from "../http/pages.ts";
import type { Image } from "../image/records.ts";
import type { Fault, FaultContext } from "./fault.ts";
import { coresUsedUp, floatingIpsUsedUp } from "./full-quota.ts";

const serverCreate = { method: "POST", route: "/compute/v2.1/servers" };

function makeTwins({ images }: FaultContext): undefined {
  const seen = images.list(({ hidden }) => !hidden);
  const twinned = new Set(seen.map(({ twinOf }) => twinOf));
  for (const image of seen.filter(({ id, twinOf }) => twinOf === undefined && !twinned.has(id))) {
    images.put({ ...image, id: randomUUID(), twinOf: image.id, ownsContent: false });
  }
}

/** One that a server runs from is hidden, as an older build of an offered image is. */
function removeTwins({ images, isImageInUse }: FaultContext): void {
  for (const twin of images.list(({ twinOf }) => twinOf !== undefined)) {
    if (isImageInUse(twin.id)) images.put({ ...twin, hidden: true });
    else images.delete(twin.id);
  }
}

function setStatus({ images }: FaultContext, from: Image["status"], to: Image["status"]): undefined {
  for (const image of images.list(({ status }) => status === from)) images.put({ ...image, status: to });
}

/** What goes wrong between an image's name and a server. */
export const serverFaults: Fault[] = [
  {
    row: "P11",
    name: "two-images-same-name",
    does: "Glance has every image twice, under the same name; the twins go when it is disarmed, those of servers into hiding",
    requests: [{ method: "GET", route: "/image/v2/images", before: (_request, context) => makeTwins(context) }],
    undo: removeTwins,
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
          body: webobPage(413, "Request is too large. Larger than max_request_body_size (114688)."),
        }),
      },
    ],
  },
];
