import { mkdir, realpath } from "node:fs/promises";
import { messageOf } from "../common/errors.ts";
import type { KernelLock } from "../common/kernel-lock.ts";
import { byClock } from "./clock/clock.ts";
import { keepTime } from "./clock/keep-time.ts";
import { type ClockState, MovableClock } from "./clock/movable-clock.ts";
import { type TimeControl, timeControl } from "./clock/time-control.ts";
import { blockDeviceTable } from "./compute/block-devices.ts";
import { growDisk, whileStill } from "./compute/disks.ts";
import { Lifecycle } from "./compute/lifecycle.ts";
import { serverGroupTable, serverTable } from "./compute/records.ts";
import { demandPlaceInGroup } from "./compute/server-groups.ts";
import { demandHost } from "./compute/service-state.ts";
import { type Credentials, ensureCredentials } from "./credentials.ts";
import { ensureDashboardKey } from "./dashboard/key.ts";
import { RecentRequests } from "./dashboard/recent-requests.ts";
import { ArmedFaults } from "./faults/armed.ts";
import { bootWithFaults } from "./faults/boot-faults.ts";
import { type FaultControl, faultControl } from "./faults/fault-control.ts";
import { FaultyPlans } from "./faults/network-faults.ts";
import { meetFaults } from "./faults/request-faults.ts";
import { listenOnLastingPort } from "./http/lasting-port.ts";
import { isPortInUse, type Listener, listen, onlyBelow } from "./http/listen.ts";
import { type AnsweredRequest, tellRequests } from "./http/request-log.ts";
import type { Route } from "./http/routes.ts";
import type { Hypervisor, ImageStore } from "./hypervisors/hypervisor.ts";
import { accountsOf } from "./identity/accounts.ts";
import { imageTable } from "./image/records.ts";
import { ensureOffered, type OfferedImage } from "./image/registration.ts";
import type { BalancerEngine } from "./loadbalancer/engine.ts";
import { Provisioning } from "./loadbalancer/provisioning.ts";
import { balancerTables } from "./loadbalancer/records.ts";
import { configDrive } from "./metadata/config-drive.ts";
import { instanceFor } from "./metadata/instance.ts";
import { metadataListener } from "./metadata/listener.ts";
import type { Dataplane } from "./network/dataplane.ts";
import { ensureExternalNetwork, externalCidrOf } from "./network/external.ts";
import { networkingPlan } from "./network/plan.ts";
import { Reconciler } from "./network/reconciler.ts";
import { networkTables } from "./network/records.ts";
import { objectTables } from "./object/records.ts";
import { sweepContents } from "./object/sweep.ts";
import { createServices, isImageInUse } from "./services.ts";
import { lockState } from "./store/lock.ts";
import { instanceOf, stateFiles } from "./store/state.ts";
import { Store } from "./store/store.ts";
import { BackupLifecycle } from "./volume/backup-lifecycle.ts";
import { gigabytesOf } from "./volume/contents.ts";
import type { VolumeContext } from "./volume/context.ts";
import { GroupLifecycle } from "./volume/group-lifecycle.ts";
import { VolumeLifecycle, type VolumeLifecycleParts } from "./volume/lifecycle.ts";
import { volumeTables } from "./volume/tables.ts";

/** What the parts below the seams are made from. */
interface CloudParts {
  /** A short random id, made at the cloud's first start: it names everything that the cloud makes on the machine. */
  instance: string;
  stateDir: string;
  /** The port that the API and the object store listen on. */
  port: number;
  images: ImageStore;
  /** The external range that an earlier start chose. */
  externalCidr: string | undefined;
  /** Told of what goes wrong behind the answers. */
  log: (line: string) => void;
}

export interface CloudOptions {
  /** Everything that the cloud remembers lies here, readable by the owner only. */
  stateDir: string;
  hypervisor: Hypervisor | ((parts: CloudParts) => Hypervisor | Promise<Hypervisor>);
  /** Absent: addresses and groups are book-keeping only (with the fake hypervisor). */
  dataplane?: Dataplane | ((parts: CloudParts) => Dataplane | Promise<Dataplane>);
  /** Absent: load balancers are book-keeping only. */
  balancerEngine?: (parts: CloudParts) => BalancerEngine;
  host?: "127.0.0.1";
  /** 0 or absent: the port of the last start, else any that is free. */
  port?: number;
  /** Offered by Glance, registered unless it is there with the same name and digest. */
  images?: OfferedImage[];
  /** The external network's range where there is no data plane to tell it. */
  externalCidr?: string;
  /** How long tokens live, milliseconds; an hour unless told otherwise. */
  tokenLifetimeMs?: number;
  /** Whether Glance fetches images from addresses (`web-download`), as this machine reaches them; it does not unless told to. */
  webDownload?: boolean;
  /** What all guests are told besides (`vendor_data.json`), any JSON; nothing unless given. */
  vendorData?: unknown;
  /** The state's lock, where the caller has taken it already; released with the cloud. */
  lock?: KernelLock;
  /** How the time of a cloud with pretended guests stands at its first start: as the machine's unless given. */
  time?: ClockState;
  log?: (line: string) => void;
  /** Told of each request once it is answered. */
  answered?: (request: AnsweredRequest) => void;
}

/** A cloud that answers. */
export interface RunningCloud {
  /** `http://127.0.0.1:PORT/identity/v3` */
  authUrl: string;
  port: number;
  instance: string;
  credentials: Credentials;
  faults: FaultControl;
  /** Freezes and moves the cloud's time, where its guests are pretended. */
  clock: TimeControl;
  /** What it answers, for tests that ask each. */
  routes: readonly Route[];
  /** Resolves when nothing is being done with servers and volumes. */
  idle(): Promise<void>;
  /** Stops answering; guests and their networks stay as they are for the next start. */
  close(): Promise<void>;
}

/** Where there is no data plane nothing is reached, and any range will do. */
const paperRange = "172.24.64.0/24";

/**
 * Starts an OpenStack in this process: Keystone, Nova, Neutron, Glance, Cinder, Swift and Octavia on one port. Started again on the same state, it finds
 * its tokens, resources and guests as they were.
 * @throws SlipwayError E_LOCKED while another process runs this cloud, E_PORT_IN_USE for a port that was asked for, E_ADDRESS_RANGE
 */
export async function startCloud(options: CloudOptions): Promise<RunningCloud> {
  const undo: (() => Promise<void> | void)[] = [];
  const clock = new MovableClock();
  try {
    return await byClock(clock, () => start(options, undo, clock));
  } catch (error) {
    clock.end(); // what waits for it would keep the process, and find the state closed
    await undoAll(undo);
    throw error;
  }
}

async function start(
  options: CloudOptions,
  undo: (() => Promise<void> | void)[],
  clock: MovableClock,
): Promise<RunningCloud> {
  const { host = "127.0.0.1", log = () => undefined } = options;
  await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
  const stateDir = await realpath(options.stateDir); // the kernel tells of files by their real paths
  const files = stateFiles(stateDir);
  const lock = options.lock ?? lockState(files.lock);
  undo.push(() => lock.release());
  const store = new Store(files.database);
  undo.push(() => store.close());
  const tables = networkTables(store);
  const images = imageTable(store);
  const servers = serverTable(store);
  const serverGroups = serverGroupTable(store);
  const objects = objectTables(store);
  const cinderTables = volumeTables(store);
  const { volumes } = cinderTables;
  const blockDevices = blockDeviceTable(store);
  const accounts = accountsOf(store);
  const instance = instanceOf(store);
  const credentials = await ensureCredentials(files.credentials, store, accounts);
  const adminProject = accounts.projects.find((project) => project.name === credentials.admin.projectName);
  if (adminProject === undefined) throw new Error("the admin project is missing from the cloud's state");

  const listener = await listenOnItsPort(store, host, options.port ?? 0);
  undo.push(() => listener.close());
  const parts: CloudParts = {
    instance,
    stateDir,
    port: listener.port,
    externalCidr: externalCidrOf(tables),
    log,
    images: {
      async pathOf(imageId) {
        const path = images.get(imageId)?.path;
        if (path === undefined || path === null) throw new Error(`Image ${imageId} has no content on this machine.`);
        return path;
      },
    },
  };
  const dataplane = typeof options.dataplane === "function" ? await options.dataplane(parts) : options.dataplane;
  const hypervisor = typeof options.hypervisor === "function" ? await options.hypervisor(parts) : options.hypervisor;
  undo.push(() => hypervisor.close());
  const time = timeControl(store, clock, hypervisor, options.time);
  const externalCidr = dataplane?.external.cidr ?? options.externalCidr ?? parts.externalCidr ?? paperRange;
  store.transaction(() => ensureExternalNetwork(tables, adminProject.id, externalCidr));
  const imageInUse = (id: string) => isImageInUse(servers, id);
  for (const image of options.images ?? []) {
    await ensureOffered(images, image, adminProject.id, imageInUse);
  }
  await sweepContents(files.objects, objects);

  const armed = new ArmedFaults(store);
  const plans = new FaultyPlans(armed, () => void reconcile().catch((error: unknown) => log(messageOf(error))));
  undo.push(() => plans.close());
  const reconciler = new Reconciler(dataplane, () => plans.current(networkingPlan(tables)));
  const reconcile = () => reconciler.reconcile();
  // the plan before the start: guests may be running, and an empty data plane would cut them off
  await reconcile();
  undo.push(() => dataplane?.close?.());
  await dataplane?.start();

  const base = `http://${host}:${listener.port}`;
  const objectStore = dataplane === undefined ? base : `http://${dataplane.external.gatewayIp}:${listener.port}`;
  const faultContext = { store, tables, images, servers, volumes, isImageInUse: imageInUse, reconcile };
  const volumeParts: VolumeLifecycleParts = {
    ...cinderTables,
    ...{ images, folder: files.volumes, imageFolder: files.images, log },
    whileStill: (ids, work) => whileStill({ blockDevices, hypervisor }, ids, work),
    grown: (volume, path) => growDisk({ blockDevices, hypervisor }, volume.id, path),
  };
  const volumeLifecycle = new VolumeLifecycle(volumeParts);
  const groupLifecycle = new GroupLifecycle({ ...cinderTables, lifecycle: volumeLifecycle, log });
  const backupLifecycle = new BackupLifecycle({
    ...volumeParts,
    ...{ backups: cinderTables.backups, lifecycle: volumeLifecycle },
  });
  const instanceParts = { store, tables, blockDevices, vendorData: options.vendorData ?? {} };
  const cinder: VolumeContext = {
    ...cinderTables,
    ...{ store, images, lifecycle: volumeLifecycle, backupLifecycle, groupLifecycle, base: () => base },
    isServersDisk: (id) => blockDevices.find(({ volumeId }) => volumeId === id) !== undefined,
    freeGigabytes: () => gigabytesOf(stateDir),
  };
  const lifecycle = new Lifecycle({
    ...{ store, servers, tables, volumes, blockDevices, volumeLifecycle, cinder, hypervisor, reconcile, log },
    ...{ images, imageFolder: files.images },
    configDrive: (server) => configDrive(instanceFor(instanceParts, server)),
    bootSpec: (server, spec) => {
      demandHost(store, server.launchedAt);
      demandPlaceInGroup({ serverGroups, servers }, server);
      return bootWithFaults(armed, server, spec, (id, afterMs) => lifecycle.dieLater(id, afterMs));
    },
  });
  const balancers = balancerTables(store);
  const engine = options.balancerEngine?.(parts);
  const provisioning = new Provisioning({ store, balancers, tables, engine, reconcile, log });
  const faults = faultControl(armed, faultContext);
  const requests = new RecentRequests();
  const app = await createServices({
    ...{ stateDir, store, accounts, servers, serverGroups, images, volumes, blockDevices, tables, objects, balancers },
    ...{ hypervisor, lifecycle, cinder, provisioning, reconcile, log },
    meetFaults: (service) => {
      tellRequests(service, (request) => {
        if (request.url.startsWith("/dashboard")) return;
        requests.add(request);
        options.answered?.(request);
      });
      keepTime(service, clock);
      meetFaults(service, armed, faultContext);
    },
    addresses: () => ({ base, objectStore }),
    dashboard: { key: await ensureDashboardKey(stateDir), port: listener.port, faults, requests },
    tokenLifetimeMs: options.tokenLifetimeMs ?? 3_600_000,
    webDownload: options.webDownload ?? false,
  });
  undo.push(() => app.close());
  if (dataplane !== undefined) {
    const outer = await listen(dataplane.external.gatewayIp, listener.port);
    undo.push(() => outer.close());
    outer.serve(onlyBelow("/object-store/v1/", (request, response) => app.routing(request, response)));
  }
  const answeringGuests = dataplane?.serveMetadata?.(metadataListener({ ...instanceParts, servers, log }), log);
  undo.push(() => answeringGuests?.end());
  volumeLifecycle.recover();
  backupLifecycle.recover();
  volumeLifecycle.recoverDeletions();
  groupLifecycle.recover();
  undo.push(() => volumeLifecycle.idle());
  await lifecycle.recover();
  undo.push(() => lifecycle.close());
  undo.push(() => clock.end());
  provisioning.recover();
  undo.push(() => provisioning.close());
  listener.serve((request, response) => app.routing(request, response));
  const authUrl = `${base}/identity/v3`;
  return {
    ...{ authUrl, port: listener.port, instance, credentials },
    faults,
    clock: time,
    routes: app.routes,
    idle: () =>
      Promise.all([lifecycle.idle().then(() => volumeLifecycle.idle()), provisioning.idle()]).then(() => undefined),
    close: () => undoAll(undo),
  };
}

/** The last first, each exactly once. */
async function undoAll(undo: (() => Promise<void> | void)[]): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
}

/**
 * Takes the port that was asked for, else the one of the last start, else (that one is taken by now) any; the choice is kept for the
 * next start, so that clients' configuration stays valid.
 */
async function listenOnItsPort(store: Store, host: string, asked: number): Promise<Listener> {
  const last = Number(store.setting("port") ?? 0);
  const wanted = asked === 0 ? last : asked;
  const listening = wanted === 0 ? listenOnLastingPort(host) : listen(host, wanted);
  const listener = await listening.catch((error: unknown) => {
    if (asked === 0 && isPortInUse(error)) return listenOnLastingPort(host);
    throw error;
  });
  store.setSetting("port", String(listener.port));
  return listener;
}
