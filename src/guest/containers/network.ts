import { readFile } from "node:fs/promises";
import { z } from "zod";
import { CommandError } from "../../common/process.ts";
import type { Host } from "../host.ts";
import { podman } from "./engine.ts";
import { BRIDGE, type ContainerNetwork, NETWORK } from "./plan.ts";
import type { ContainerSettings } from "./settings.ts";
import { addressIn, defaultInterface, freeSubnet, isWithin, overlap, routedRanges } from "./subnets.ts";

/** Where there is no route to others. */
const USUAL_MTU = 1500;

/** What of `podman network inspect` is looked at. */
const inspected = z
  .array(
    z.object({
      subnets: z.array(z.object({ subnet: z.string() })).default([]),
      options: z.object({ mtu: z.coerce.number().optional() }).default({}),
    }),
  )
  .min(1);

/** What the kernel tells of the host's routes and interfaces. */
export interface HostRoutes {
  /** /proc/net/route */
  table: string;
  /** Bytes; undefined for an interface that is not there. */
  mtuOf: (name: string) => Promise<number | undefined>;
}

const kernelRoutes = async (): Promise<HostRoutes> => ({
  table: await readFile("/proc/net/route", "utf8"),
  mtuOf: async (name) => Number(await readFile(`/sys/class/net/${name}/mtu`, "utf8").catch(() => "")) || undefined,
});

/**
 * The containers' network, made where there is none as the settings say. One that fits is kept, so that addresses stay; another one
 * takes the containers in it down, which systemd starts again.
 * @throws Error where the pool has no subnet in which the host knows nobody
 */
export async function ensureContainerNetwork(
  { run }: Pick<Host, "run">,
  settings: ContainerSettings,
  routes?: HostRoutes,
): Promise<ContainerNetwork> {
  const existing = await existingNetwork(run);
  const wanted = await wantedNetwork(settings, existing, routes ?? (await kernelRoutes()));
  if (existing && existing.subnet === wanted.subnet && existing.mtu === wanted.mtu) return wanted;
  if (existing) await podman(run, ["network", "rm", "--force", NETWORK]);
  const { subnet, mtu } = wanted;
  await podman(run, [
    ...["network", "create", "--driver=bridge", `--interface-name=${BRIDGE}`, "--disable-dns"],
    ...[`--subnet=${subnet}`, `--ip-range=${dynamicRange(subnet)}`, `--opt=mtu=${mtu}`, NETWORK],
  ]);
  return wanted;
}

/** Of the subnet, what containers get that need no address of their own. */
export function dynamicRange(subnet: string): string {
  return `${addressIn(subnet, 128)}/25`;
}

/** The network that the settings want on this host, an existing one where it may stay. */
export async function wantedNetwork(
  { mtu, addressPool }: ContainerSettings,
  existing: { subnet: string } | undefined,
  { table, mtuOf }: HostRoutes,
): Promise<ContainerNetwork> {
  const taken = routedRanges(table, BRIDGE);
  const stays =
    existing !== undefined &&
    isWithin(existing.subnet, addressPool) &&
    !taken.some((range) => overlap(range, existing.subnet));
  const subnet = stays ? existing.subnet : freeSubnet(addressPool, taken);
  if (subnet === undefined) {
    throw new Error(`containers.addressPool ${addressPool} has no /24 in which this host knows nobody`);
  }
  const outwards = defaultInterface(table);
  const hosts = outwards === undefined ? undefined : await mtuOf(outwards);
  return { subnet, queueAddress: addressIn(subnet, 2), mtu: mtu ?? hosts ?? USUAL_MTU };
}

async function existingNetwork(run: Host["run"]): Promise<{ subnet: string; mtu: number | undefined } | undefined> {
  try {
    const { stdout } = await podman(run, ["network", "inspect", NETWORK]);
    const [network] = inspected.parse(JSON.parse(stdout));
    const subnet = network?.subnets[0]?.subnet;
    return subnet === undefined ? undefined : { subnet, mtu: network?.options.mtu };
  } catch (error) {
    if (error instanceof CommandError && /not found/.test(error.stderr)) return undefined;
    throw error;
  }
}
