import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../common/errors.ts";
import { keypairTable } from "./compute/keypairs.ts";
import { Lifecycle } from "./compute/lifecycle.ts";
import { serverTable } from "./compute/records.ts";
import { computeService } from "./compute/service.ts";
import { type Credentials, ensureCredentials } from "./credentials.ts";
import { createApp } from "./http/app.ts";
import { type Listener, listen } from "./http/listen.ts";
import type { Hypervisor, ImageStore } from "./hypervisors/hypervisor.ts";
import { accountsOf } from "./identity/accounts.ts";
import type { Addresses } from "./identity/catalog.ts";
import { identityService } from "./identity/service.ts";
import { Tokens } from "./identity/tokens.ts";
import { imageTable } from "./image/records.ts";
import { ensureOffered, type OfferedImage } from "./image/registration.ts";
import { imageService } from "./image/service.ts";
import type { Dataplane } from "./network/dataplane.ts";
import { ensureExternalNetwork, externalCidrOf } from "./network/external.ts";
import { networkingPlan } from "./network/plan.ts";
import { Reconciler } from "./network/reconciler.ts";
import { networkTables } from "./network/records.ts";
import { networkService } from "./network/service.ts";
import { objectTables } from "./object/records.ts";
import { objectService } from "./object/service.ts";
import { sweepContents } from "./object/sweep.ts";
import { Store } from "./store/store.ts";

/** What the parts below the seams are made from. */
export interface CloudParts {
  /** A short random id, made at the cloud's first start: it names everything that the cloud makes on the machine. */
  instance: string;
  stateDir: string;
  images: ImageStore;
  /** The external range that an earlier start chose. */
  externalCidr: string | undefined;
}

export interface CloudOptions {
  /** Everything that the cloud remembers lies here, readable by the owner only. */
  stateDir: string;
  hypervisor: Hypervisor | ((parts: CloudParts) => Hypervisor | Promise<Hypervisor>);
  /** Absent: addresses and groups are book-keeping only (with the fake hypervisor). */
  dataplane?: Dataplane | ((parts: CloudParts) => Dataplane | Promise<Dataplane>);
  host?: "127.0.0.1";
  /** 0 or absent: the port of the last start, else any that is free. */
  port?: number;
  /** Offered by Glance, registered unless it is there with the same name and digest. */
  images?: OfferedImage[];
  /** The external network's range where there is no data plane to tell it. */
  externalCidr?: string;
  /** How long tokens live, milliseconds; an hour unless told otherwise. */
  tokenLifetimeMs?: number;
  log?: (line: string) => void;
}

/** A cloud that answers. */
export interface RunningCloud {
  /** `http://127.0.0.1:PORT/identity/v3` */
  authUrl: string;
  port: number;
  instance: string;
  credentials: Credentials;
  /** Resolves when no server operation is under way. */
  idle(): Promise<void>;
  /** Stops answering; guests and their networks stay as they are for the next start. */
  close(): Promise<void>;
}

/**
 * Starts an OpenStack in this process: Keystone, Nova, Neutron, Glance and Swift on one port. One cloud per state folder at a time (the
 * daemon's lock sees to that); started again, it finds its tokens, resources and guests as they were.
 * @throws SlipwayError E_PORT_IN_USE for a port that was asked for, E_ADDRESS_RANGE
 */
export async function startCloud(options: CloudOptions): Promise<RunningCloud> {
  const { stateDir, host = "127.0.0.1", log = () => undefined } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const store = new Store(join(stateDir, "cloud.sqlite"));
  const undo: (() => Promise<unknown> | unknown)[] = [() => store.close()];
  try {
    const instance = store.settingOr("instance", () => randomBytes(3).toString("hex"));
    const tables = networkTables(store);
    const images = imageTable(store);
    const servers = serverTable(store);
    const objects = objectTables(store);
    const accounts = accountsOf(store);
    const credentials = await ensureCredentials(join(stateDir, "credentials.json"), store, accounts);
    const adminProject = accounts.projects.find((project) => project.name === credentials.admin.projectName);
    if (adminProject === undefined) throw new Error("the admin project is missing from the cloud's state");

    const parts: CloudParts = {
      instance,
      stateDir,
      externalCidr: externalCidrOf(tables),
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
    await dataplane?.start();
    const externalCidr = dataplane?.external.cidr ?? options.externalCidr ?? parts.externalCidr ?? "172.24.64.0/24";
    store.transaction(() => ensureExternalNetwork(tables, adminProject.id, externalCidr));

    const imageInUse = (id: string) => servers.find((server) => server.imageId === id) !== undefined;
    for (const image of options.images ?? []) await ensureOffered(images, image, adminProject.id, imageInUse);
    await sweepContents(join(stateDir, "objects"), objects);

    const reconciler = new Reconciler(dataplane, () => networkingPlan(tables));
    const reconcile = () => reconciler.reconcile();
    const lifecycle = new Lifecycle({ store, servers, tables, hypervisor, reconcile, log });
    const tokens = new Tokens(store, options.tokenLifetimeMs ?? 3_600_000);

    let addresses: Addresses = { base: "", objectStore: "" };
    const base = () => addresses.base;
    const app = createApp();
    undo.push(() => app.close());
    await app.register(identityService, { prefix: "/identity", accounts, tokens, addresses: () => addresses, log });
    await app.register(computeService, {
      prefix: "/compute",
      store,
      servers,
      keypairs: keypairTable(store),
      images,
      tables,
      hypervisor,
      lifecycle,
      reconcile,
      base,
      tokens,
      log,
    });
    await app.register(networkService, { prefix: "/network", store, tables, reconcile, tokens, base, log });
    await app.register(imageService, {
      prefix: "/image",
      store,
      table: images,
      tokens,
      folder: join(stateDir, "images"),
      inUse: imageInUse,
      base,
      log,
    });
    await app.register(objectService, {
      prefix: "/object-store",
      store,
      tables: objects,
      tokens,
      folder: join(stateDir, "objects"),
      log,
    });
    await app.ready();

    const listener = await listenOnItsPort(store, options.port ?? 0, (port) => listen(app, host, port));
    undo.push(() => listener.close());
    addresses = { base: `http://${host}:${listener.port}`, objectStore: `http://${host}:${listener.port}` };
    if (dataplane !== undefined) {
      // guests reach the object store, and nothing else, on the external network's gateway address
      const { gatewayIp } = dataplane.external;
      const outer = await listen(app, gatewayIp, listener.port, (url) => url.startsWith("/object-store/v1/"));
      undo.push(() => outer.close());
      addresses = { ...addresses, objectStore: `http://${gatewayIp}:${listener.port}` };
    }
    await reconcile();
    await lifecycle.recover();
    undo.push(() => lifecycle.close());

    return {
      authUrl: `${addresses.base}/identity/v3`,
      port: listener.port,
      instance,
      credentials,
      idle: () => lifecycle.idle(),
      close: () => undoAll(undo),
    };
  } catch (error) {
    await undoAll(undo);
    throw error;
  }
}

/** The last undone first, each exactly once. */
async function undoAll(undo: (() => Promise<unknown> | unknown)[]): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
}

/**
 * Listens on the port that was asked for, else on the one of the last start, else (that one is taken by now) on any; the choice is kept
 * for the next start, so that clients' configuration stays valid.
 */
async function listenOnItsPort(
  store: Store,
  asked: number,
  listenOn: (port: number) => Promise<Listener>,
): Promise<Listener> {
  const remember = (listener: Listener) => {
    store.setSetting("port", String(listener.port));
    return listener;
  };
  if (asked !== 0) return remember(await listenOn(asked));
  const last = Number(store.setting("port") ?? 0);
  try {
    return remember(await listenOn(last));
  } catch (error) {
    if (last !== 0 && error instanceof SlipwayError && error.code === "E_PORT_IN_USE")
      return remember(await listenOn(0));
    throw error;
  }
}
