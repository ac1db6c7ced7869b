import type { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Server } from "../compute/records.ts";
import type { Image } from "../image/records.ts";
import type { NetworkingPlan } from "../network/dataplane.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection, Store } from "../store/store.ts";
import type { Volume } from "../volume/records.ts";

/** What a fault may change: the cloud's own tables, and the data plane after them. */
export interface FaultContext {
  store: Store;
  tables: NetworkTables;
  images: Collection<Image>;
  servers: Collection<Server>;
  volumes: Collection<Volume>;
  isImageInUse: (id: string) => boolean;
  reconcile: () => Promise<void>;
}

/** What is answered in a service's place. */
interface Instead {
  status: number;
  headers?: Record<string, string>;
  type?: string;
  body?: string;
}

/** Where a fault gets between a client and a service. */
export interface RequestHook {
  /** `*` for any. */
  method: string;
  /** Fastify's pattern of the whole path, e.g. `/network/v2.0/ports/:id`; `*` for all that are asked with a token. */
  route: string;
  /** Which requests of the route it concerns; all of them unless given. */
  when?: (request: FastifyRequest) => boolean;
  /**
   * Ahead of the service: throws the service's own refusal, or changes what the service will find. What it returns is sent instead, as
   * the page of whatever stands in front of the service.
   */
  before?: (request: FastifyRequest, context: FaultContext) => Instead | undefined;
  /** After the service has done what was asked: changes the answer, or the world. Returns what is sent. */
  after?: (
    request: FastifyRequest,
    reply: FastifyReply,
    body: string,
    context: FaultContext,
  ) => string | Readable | Promise<string>;
  /** Changes an answer that only tells of what the fault does, as long as that has strikes left: to look is no occasion. */
  show?: (body: string) => string;
}

/** A document that cloud-init reads as `#cloud-config`. */
export type CloudConfig = Record<string, unknown>;

/** Where a fault gets between a server and its guest. */
interface BootHook {
  /** Which boots it concerns: the first of a server, or each later one. */
  boot: "first" | "later";
  /** Why no guest is made; becomes the server's `fault.message`. */
  refuse?: (server: Server) => string;
  /** Changes the user-data on its way to the guest; what Nova shows of it stays. Only cloud-config is changed. */
  userData?: (config: CloudConfig, delayMs: number) => CloudConfig;
  /** The guest ends by itself the fault's delay after it booted, as if its host had failed. */
  dies?: true;
}

/** Something that goes wrong in real clouds, and how this cloud does it when it is told to. */
export interface Fault {
  /** Row of the ledger of known troubles, e.g. `P03`. */
  row: string;
  name: string;
  /** What the cloud does while it is armed, in a sentence. */
  does: string;
  /** How often it strikes unless told otherwise; absent: until it is disarmed. */
  times?: number;
  /** The pause or span that it is about, milliseconds, unless told otherwise. */
  delayMs?: number;
  requests?: RequestHook[];
  boot?: BootHook;
  /** What the data plane is given in place of the plan, for `delayMs` after a strike. */
  plan?: (plan: NetworkingPlan) => NetworkingPlan;
  /** Makes undone what it left in the tables, when it is disarmed. */
  undo?: (context: FaultContext) => void;
}

/** A fault's full name, e.g. `P03:fip-timeout-but-applied`. */
export function keyOf({ row, name }: Pick<Fault, "row" | "name">): string {
  return `${row}:${name}`;
}
