import { daemonStatus } from "../cloud/control.ts";
import type { DaemonInfo } from "../cloud/daemon-info.ts";
import { SlipwayError } from "../common/errors.ts";
import { cloudPlaces } from "./named-clouds.ts";
import type { Workspace } from "./workspace.ts";

const START_ANEW = "`slipway cloud destroy --yes` and `slipway cloud start`";

type Guests = Pick<DaemonInfo, "hypervisor" | "reason" | "remedies" | "egress">;

/** Which guests a cloud makes, why, and where they are pretended: what to do about it, and what cannot be done with them. */
export function guestLines({ hypervisor, reason, remedies = [], egress = "none" }: Guests): string[] {
  const kind = `guests: ${hypervisor}, ${reason}`;
  const wayOut = egress === "nat" ? "nat, by this machine's uplink" : "none";
  if (hypervisor !== "fake") return [kind, `guests' way out: ${wayOut}`];
  return [
    kind,
    ...remedies.map((remedy) => `  → ${remedy}`),
    ...(remedies.length === 0 ? [] : [`    Then ${START_ANEW}: a cloud keeps its kind of guests.`]),
    "  Fake guests are records: they boot nothing, and `slipway up`, `attach` and `ssh` are refused. The APIs and other clients work.",
  ];
}

/**
 * A pretended guest never gives a verdict and lets nobody log in: a verb that would wait for either is refused.
 * @throws SlipwayError E_HOST_PACKAGES for a stack in a cloud of this home, where its guests are pretended
 */
export async function refusePretendedGuests({ projectRoot, session, stack }: Workspace): Promise<void> {
  const places = await cloudPlaces(projectRoot);
  const found = await Promise.all(places.map(({ stateDir }) => daemonStatus(stateDir)));
  const cloud = found.find((status) => status.running && status.authUrl === session.authUrl);
  if (!cloud?.running || cloud.hypervisor !== "fake") return;
  const { reason, remedies = [] } = cloud;
  throw new SlipwayError(
    "E_HOST_PACKAGES",
    `${stack} would never serve: the embedded cloud's guests are fake (${reason})`,
    {
      details: remedies,
      hint: `Start a cloud with real guests, ${START_ANEW}, or choose another one with --os-cloud.`,
    },
  );
}
