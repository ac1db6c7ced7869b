import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, digestOf } from "../../../common/digest.ts";
import { messageOf } from "../../../common/errors.ts";
import { pathExists } from "../../../common/files.ts";
import { CommandError, run } from "../../../common/process.ts";
import type { Dataplane, NetworkingPlan } from "../dataplane.ts";
import { prefixLength } from "./addresses.ts";
import { connectionCuts } from "./connection-cuts.ts";
import type { DaemonConfigs } from "./daemon-configs.ts";
import {
  askingNetworks,
  externalPlan,
  guestNamespacesOf,
  type NamespacePlan,
  routedPlans,
  type Site,
} from "./desired.ts";
import { claimExternalNetwork, releaseExternalNetwork } from "./external-network.ts";
import { addressCommands, linkCommands } from "./link-diff.ts";
import { closeEgress, openEgress } from "./machine-egress.ts";
import { MetadataSockets } from "./metadata-sockets.ts";
import { movedAddresses } from "./moved-addresses.ts";
import { hostLink, namePrefix, routerNamespace } from "./names.ts";
import {
  cutConnections,
  deleteNamespace,
  ipBatch,
  listNamespaces,
  loadRuleset,
  makeNamespaces,
  observeAddresses,
  observeLinks,
  observeProxies,
  observeRoutes,
  processesInNamespace,
  setSysctls,
  setSysctlsInEach,
} from "./netns.ts";
import { NetworkDaemons } from "./network-daemons.ts";
import { growFarEnd, growNearEnds, outgrownFarEnds } from "./outgrown-links.ts";
import { leastIpv6Mtu, withoutIpv6 } from "./without-ipv6.ts";

export interface LinuxDataplaneOptions {
  /** Carried in the names of all that is made; see names.ts. */
  instance: string;
  /** The instance's folder; remembers the external range. */
  stateDir: string;
  /** The external range; without it a free one of 172.24.64.0/24 … 172.24.127.0/24 is picked once and kept. */
  externalCidr?: string;
  /** TCP ports of this machine that guests may reach at the gateway address (the object store's); all unless told. */
  hostPorts?: readonly number[];
  /** Whether guests reach what the machine reaches; not unless told. */
  egress?: "none" | "nat";
  /** Told of what cannot be brought about. */
  log?: (line: string) => void;
}

/** What a namespace is to be, and that in short: compared often, computed once. */
type DigestedPlan = NamespacePlan & { digest: Digest };

/** Does a part of the work, which is named and told what it wants; says whether it could. */
type Attempt = (name: string, wanted: string, work: () => Promise<void>) => Promise<boolean>;

/** As long as it is worth while to look again, what fails is thrown. */
const demanding: Attempt = async (_name, _wanted, work) => {
  await work();
  return true;
};

/** What could not be done is not tried again for so long, if it is wanted unchanged: others wait meanwhile. */
const REFUSED_MS = 30_000;

const emptyPlan: NetworkingPlan = { networks: [], routers: [], ports: [], securityGroups: [] };

/** Whose an address is, Neutron has seen to; that guests look for duplicates would hold up each boot by 1.5 s. */
const guestSysctls = {
  "net.ipv6.conf.all.accept_dad": "0",
  "net.ipv6.conf.default.accept_dad": "0",
  "net.ipv6.conf.default.dad_transmits": "0",
};

/** How often it is looked whether what serves networks still runs. */
const LOOK_MS = 2_000;

const APPLY_ATTEMPTS = 5;
const APPLY_PAUSE_MS = 100;

/**
 * The data plane on Linux network namespaces and nftables: one namespace for the external network, one per router, one per network, one
 * per guest. The machine itself gets one link with one address; its firewall, routes and forwarding are not touched or needed, but
 * where guests have a way out.
 * @throws SlipwayError E_ADDRESS_RANGE when no external range is free, or the named one is used
 */
export async function createLinuxDataplane(options: LinuxDataplaneOptions): Promise<Dataplane> {
  const { instance, stateDir, hostPorts, egress = "none", log = () => undefined } = options;
  const hasIpv6 = await pathExists("/proc/sys/net/ipv6"); // a kernel may be told to have none
  const external = await claimExternalNetwork(options);
  const site: Site = {
    instance,
    external: { ...external, anywhere: egress === "nat", ...(hostPorts ? { hostPorts } : {}) },
  };
  const loaded = new Map<string, string>(); // namespace → digest of what was loaded into it; cleared where something failed
  const refused = new Map<string, { wanted: string; until: number }>();
  const settled = new Set<string>(); // guests' namespaces that this process gave their settings
  const daemons = new NetworkDaemons(stateDir);
  let metadata: MetadataSockets | undefined;
  let applied: NetworkingPlan | undefined;
  let latest: NetworkingPlan = emptyPlan;
  let asked = 0;
  let done = 0;
  let turn: Promise<unknown> = Promise.resolve();
  let looks: NodeJS.Timeout | undefined;

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined); // the caller gets the failure, the next one starts afresh
    return result;
  };

  async function loadInto(plan: DigestedPlan): Promise<void> {
    if (loaded.get(plan.name) === plan.digest) return;
    loaded.delete(plan.name);
    await setSysctls(plan.name, plan.sysctls);
    await loadRuleset(plan.name, plan.ruleset);
  }

  /** Returns whether a link was made, removed or made larger. */
  async function ensureLinks(plan: NamespacePlan): Promise<boolean> {
    const observed = await observeLinks(plan.name);
    for (const end of outgrownFarEnds(plan, observed)) {
      await ipBatch(end.namespace, growFarEnd(end, await observeLinks(end.namespace)));
    }
    // those here after them: what is as large as planned is looked at no more
    const commands = [...linkCommands(plan, observed, process.pid), ...growNearEnds(plan, observed)];
    await ipBatch(plan.name, commands);
    return commands.length > 0;
  }

  async function ensureAddresses(plan: DigestedPlan): Promise<void> {
    const [present, routes, proxies] = await Promise.all([
      observeAddresses(plan.name),
      observeRoutes(plan.name),
      observeProxies(plan.name),
    ]);
    await setSysctls(plan.name, plan.linkSysctls);
    await ipBatch(plan.name, addressCommands(plan, present, routes, proxies));
    loaded.set(plan.name, plan.digest);
  }

  /** A guest's namespace goes only when no guest is in it: the hypervisor may still be ending it, or have made it for a guest without NICs. */
  async function deleteStale(name: string): Promise<void> {
    const isGuests = name.startsWith(`${namePrefix(instance)}g-`);
    if (isGuests && (await processesInNamespace(name)).length > 0) return;
    loaded.delete(name);
    settled.delete(name);
    await daemons.end(name);
    await deleteNamespace(name);
  }

  /**
   * A guest that ends takes its links along, at any moment: what was observed a moment ago is then gone. Look again and go on. What cannot
   * be done in the end is told, and done without: one network that the kernel does not take is not to stop all others, nor the cloud's start.
   */
  async function applyUntilSettled(plan: NetworkingPlan): Promise<void> {
    for (let attempt = 1; attempt < APPLY_ATTEMPTS; attempt++) {
      try {
        return await applyNow(plan, demanding);
      } catch (error) {
        loaded.clear(); // some links may have been made whose addresses were not: look at everything again
        if (!(error instanceof CommandError)) throw error;
        await sleep(APPLY_PAUSE_MS * attempt);
      }
    }
    await applyNow(plan, forgiving);
  }

  const isRefused = (name: string, wanted: string) => {
    const known = refused.get(name);
    return known !== undefined && known.wanted === wanted && performance.now() < known.until;
  };

  const forgiving: Attempt = async (name, wanted, work) => {
    if (isRefused(name, wanted)) return false;
    try {
      await work();
      return true;
    } catch (error) {
      loaded.delete(name);
      refused.set(name, { wanted, until: performance.now() + REFUSED_MS });
      log(`${name} cannot be brought about: ${messageOf(error)}`);
      return false;
    }
  };

  /** The plans with which it could be done. */
  async function each(plans: DigestedPlan[], attempt: Attempt, work: (plan: DigestedPlan) => Promise<void>) {
    const could = await Promise.all(plans.map((plan) => attempt(plan.name, plan.digest, () => work(plan))));
    return plans.filter((_, index) => could[index]);
  }

  async function serveNetwork(name: string, wanted: DaemonConfigs | undefined): Promise<void> {
    if (wanted !== undefined) {
      await forgiving(`what serves ${name}`, JSON.stringify(wanted), () => daemons.apply(name, wanted));
    }
  }

  /** Starts again what has ended by itself of what serves networks. */
  async function lookAfterDaemons(): Promise<void> {
    await Promise.all((await daemons.look()).map(([name, wanted]) => serveNetwork(name, wanted)));
  }

  function stopLooking(): void {
    clearInterval(looks);
    looks = undefined;
  }

  async function applyNow(plan: NetworkingPlan, attempt: Attempt): Promise<void> {
    const all = [externalPlan(plan, site), ...routedPlans(plan, site)].map((one) => ({
      ...one,
      digest: digestOf(JSON.stringify(one)),
    }));
    const plans = all.filter(({ name, digest }) => !isRefused(name, digest));
    const guests = guestNamespacesOf(plan, instance);
    const wanted = new Set([...all.map(({ name }) => name), ...guests]);
    const present = new Set(await listNamespaces(namePrefix(instance)));
    const asking = askingNetworks(plan, instance);
    await metadata?.closeOthers(new Set([...asking.keys()].filter((name) => present.has(name))));
    for (const name of present) if (!wanted.has(name)) await deleteStale(name);
    const missing = [...wanted].filter((name) => !present.has(name));
    for (const name of missing) {
      loaded.delete(name);
      settled.delete(name);
      await daemons.forget(name);
    }
    await makeNamespaces(missing);
    const unsettled = guests.filter((name) => !settled.has(name));
    await setSysctlsInEach(unsettled, guestSysctls);
    for (const name of unsettled) settled.add(name);
    const changed = plans.filter(({ name, digest }) => loaded.get(name) !== digest);
    const filtered = await each(plans, attempt, loadInto); // rules before links: nothing is ever open for a moment
    let moved = false;
    const linked = await each(filtered, attempt, async (one) => {
      if (await ensureLinks(one)) moved = true;
    });
    const wanting = linked.filter((one) => moved || changed.includes(one));
    await each(wanting, attempt, ensureAddresses);
    await ensureHostLink();
    await forgetNeighbours(movedAddresses(applied, plan), plan, attempt);
    const cuts = applied === undefined ? [] : connectionCuts(applied, plan, instance);
    for (const cut of cuts) {
      await attempt(cut.namespace, "", () => cutConnections(cut.namespace, cut.arguments));
    }
    metadata?.open(asking);
    applied = plan; // only now: a second attempt must cut what the first could not
    await Promise.all(linked.map(({ name, daemons: wanted }) => serveNetwork(name, wanted)));
  }

  /** The machine and the other routers must ask anew who has these addresses. */
  async function forgetNeighbours(addresses: readonly string[], plan: NetworkingPlan, attempt: Attempt): Promise<void> {
    const flushes = addresses.map((address) => `neighbour flush to ${address}`);
    if (flushes.length === 0) return;
    const link = hostLink(instance);
    const input = flushes.map((flush) => `${flush} dev ${link}\n`).join("");
    await attempt(link, "", async () => void (await run("ip", ["-batch", "-"], { input })));
    for (const { id } of plan.routers) {
      const name = routerNamespace(instance, id);
      await attempt(name, "", () => ipBatch(name, flushes));
    }
  }

  async function ensureHostLink(): Promise<void> {
    const link = hostLink(instance);
    const address = `${external.gatewayIp}/${prefixLength(external.cidr)}`;
    const { stdout } = await run("ip", ["-j", "address", "show", "dev", link]);
    if (stdout.includes(`"${external.gatewayIp}"`) && stdout.includes('"UP"')) return;
    const noIpv6 = `net.ipv6.conf.${link}.disable_ipv6=1`;
    await run("sysctl", ["--quiet", "--ignore", "--write", noIpv6]);
    await run("ip", ["address", "replace", address, "dev", link]);
    await run("ip", ["link", "set", link, "up"]);
  }

  return {
    external,
    start: () =>
      inTurn(async () => {
        if (egress === "none") await closeEgress(instance);
        await applyUntilSettled(latest);
        if (egress === "nat") await openEgress(instance, external);
        looks ??= setInterval(() => {
          void inTurn(lookAfterDaemons).catch((error: unknown) => log(`what serves networks: ${messageOf(error)}`));
        }, LOOK_MS).unref();
      }),
    apply(plan) {
      latest = structuredClone(withoutIpv6(plan, ({ mtu }) => !hasIpv6 || mtu < leastIpv6Mtu));
      const version = ++asked;
      return inTurn(async () => {
        if (done >= version) return; // a later plan was applied in this one's stead
        const newest = asked;
        await applyUntilSettled(latest);
        done = newest;
      });
    },
    serveMetadata(listenerFor, log) {
      const sockets = new MetadataSockets(listenerFor, log);
      metadata = sockets;
      const opened = inTurn(async () =>
        sockets.open(applied === undefined ? new Map() : askingNetworks(applied, instance)),
      );
      return {
        async end() {
          await opened;
          await inTurn(async () => {
            metadata = undefined;
            await sockets.closeOthers(new Set());
          });
        },
      };
    },
    async close() {
      stopLooking();
      await inTurn(async () => undefined); // what was begun before is over
    },
    destroy: () =>
      inTurn(async () => {
        stopLooking();
        await metadata?.closeOthers(new Set());
        await closeEgress(instance);
        for (const name of await listNamespaces(namePrefix(instance))) {
          await daemons.end(name);
          await deleteNamespace(name);
        }
        await deleteLink(hostLink(instance));
        await releaseExternalNetwork(instance, stateDir);
        loaded.clear();
        settled.clear();
        applied = undefined;
        latest = emptyPlan;
      }),
  };
}

/** The machine's end goes with its namespace, a moment later; asked for here so that it is gone when this returns. */
async function deleteLink(link: string): Promise<void> {
  try {
    await run("ip", ["link", "delete", link]);
  } catch (error) {
    if (!(error instanceof CommandError && /Cannot find device/.test(error.stderr))) throw error;
  }
}
