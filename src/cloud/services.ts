import type { FastifyInstance } from "fastify";
import type { BlockDevice } from "./compute/block-devices.ts";
import { flavorTable } from "./compute/flavor-records.ts";
import { keypairTable } from "./compute/keypair-records.ts";
import type { Lifecycle } from "./compute/lifecycle.ts";
import { quotaTable } from "./compute/quota-records.ts";
import type { Server, ServerGroup } from "./compute/records.ts";
import { computeService } from "./compute/service.ts";
import { type DashboardOptions, dashboardService } from "./dashboard/service.ts";
import { createApp } from "./http/app.ts";
import type { Hypervisor } from "./hypervisors/hypervisor.ts";
import type { Accounts } from "./identity/accounts.ts";
import type { Addresses } from "./identity/catalog.ts";
import { identityService } from "./identity/service.ts";
import { Tokens } from "./identity/tokens.ts";
import type { Image } from "./image/records.ts";
import { imageService } from "./image/service.ts";
import type { Provisioning } from "./loadbalancer/provisioning.ts";
import type { BalancerTables } from "./loadbalancer/records.ts";
import { loadBalancerService } from "./loadbalancer/service.ts";
import type { NetworkTables } from "./network/records.ts";
import { networkService } from "./network/service.ts";
import type { ObjectTables } from "./object/records.ts";
import { objectService } from "./object/service.ts";
import { placementService } from "./placement/service.ts";
import { stateFiles } from "./store/state.ts";
import type { Collection, Store } from "./store/store.ts";
import type { VolumeContext } from "./volume/context.ts";
import type { Volume } from "./volume/records.ts";
import { volumeService } from "./volume/service.ts";

/** What the services work on. */
export interface ServiceParts {
  stateDir: string;
  store: Store;
  accounts: Accounts;
  servers: Collection<Server>;
  serverGroups: Collection<ServerGroup>;
  images: Collection<Image>;
  volumes: Collection<Volume>;
  blockDevices: Collection<BlockDevice>;
  tables: NetworkTables;
  objects: ObjectTables;
  balancers: BalancerTables;
  provisioning: Provisioning;
  hypervisor: Hypervisor;
  lifecycle: Lifecycle;
  cinder: VolumeContext;
  reconcile: () => Promise<void>;
  /** Called before the first service is there. */
  meetFaults: (app: FastifyInstance) => void;
  addresses: () => Addresses;
  tokenLifetimeMs: number;
  webDownload: boolean;
  /** What the page in Horizon's place is for and needs besides. */
  dashboard: Pick<DashboardOptions, "key" | "port" | "faults" | "requests">;
  log: (line: string) => void;
}

/** The HTTP application with all services, each below its prefix of the catalogue. */
export async function createServices(parts: ServiceParts): Promise<FastifyInstance> {
  const { stateDir, store, tables, servers, images, volumes, addresses, log } = parts;
  const tokens = new Tokens(store, parts.accounts, parts.tokenLifetimeMs);
  const glance = {
    ...{ store, table: images, folder: stateFiles(stateDir).images },
    inUse: (id: string) => isImageInUse(servers, id),
  };
  const base = () => addresses().base;
  const app = createApp();
  parts.meetFaults(app);
  await app.register(identityService, {
    prefix: "/identity",
    store,
    accounts: parts.accounts,
    tokens,
    addresses,
    log,
  });
  await app.register(computeService, {
    prefix: "/compute",
    store,
    servers,
    keypairs: keypairTable(store),
    flavors: flavorTable(store),
    quotas: quotaTable(store),
    serverGroups: parts.serverGroups,
    images,
    glance,
    volumes,
    cinder: parts.cinder,
    blockDevices: parts.blockDevices,
    tables,
    hypervisor: parts.hypervisor,
    lifecycle: parts.lifecycle,
    reconcile: parts.reconcile,
    base,
    tokens,
    log,
  });
  await app.register(networkService, {
    prefix: "/network",
    store,
    tables,
    reconcile: parts.reconcile,
    tokens,
    base,
    log,
  });
  await app.register(imageService, {
    prefix: "/image",
    ...glance,
    tokens,
    webDownload: parts.webDownload,
    base,
    log,
  });
  await app.register(volumeService, { prefix: "/volume", context: parts.cinder, tokens, log });
  await app.register(objectService, {
    prefix: "/object-store",
    store,
    tables: parts.objects,
    tokens,
    folder: stateFiles(stateDir).objects,
    domainOf: (id) => parts.accounts.projects.get(id)?.domainId ?? "default",
    log,
  });
  await app.register(placementService, {
    prefix: "/placement",
    servers,
    hypervisor: parts.hypervisor,
    tokens,
    log,
  });
  await app.register(loadBalancerService, {
    prefix: "/load-balancer",
    store,
    balancers: parts.balancers,
    tables,
    provisioning: parts.provisioning,
    tokens,
    base,
    log,
  });
  await app.register(dashboardService, {
    prefix: "/dashboard",
    accounts: parts.accounts,
    servers,
    tables,
    hypervisor: parts.hypervisor,
    log,
    ...parts.dashboard,
  });
  await app.ready();
  return app;
}

/** Whether a server was made from the image and still exists. */
export function isImageInUse(servers: Collection<Server>, imageId: string): boolean {
  return servers.find((server) => server.imageId === imageId) !== undefined;
}
