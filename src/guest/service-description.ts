import { durableModels, type ServingConfig } from "../serving/config.ts";
import { frontendSettingsOf } from "../serving/frontend/config.ts";
import type { ContainerPlan } from "./containers/plan.ts";
import { socketUnits } from "./socket-units.ts";
import { runtimeUnits, type ServingService } from "./unit-names.ts";

/** What a host's services run with. */
export interface ServiceSettings {
  serving: ServingConfig;
  /** Path of Valkey's or Redis' server. */
  queueServer: string;
  /** Where the services run in containers. */
  containers?: ContainerPlan | undefined;
}

/** One instance of a service: what it runs, needs and may touch, however it is run. */
export interface ServiceDescription {
  title: string;
  /** Units that start before it. */
  after: string[];
  command: string[];
  environment: Record<string, string>;
  /** Its folder below /run, for sockets: it outlives restarts, so that whoever asks finds the new socket at the old place. */
  runtimeFolder?: string;
  /** Its folders below /var/lib. */
  stateFolders: string[];
  stateMode: "0700" | "0750";
  /** Folders of others that it changes. */
  changes: string[];
  /** Folders of others that it looks into. */
  reads: string[];
  /** The socket units whose sockets it inherits. */
  sockets: string[];
  /** Where its connections lead: to nobody, to the queue's server, or anywhere. */
  network: "none" | "queue" | "any";
  /** Whether it may open NVIDIA's devices. */
  gpu: boolean;
  /** Whether it makes code while it runs, as JavaScript's engine does. */
  makesCode: boolean;
  /** How long it may take to stop, in seconds, of one that sees itself to the processes that it started. */
  stopS?: number;
  /** Share of the host's memory that it may take; one that wants more ends alone. */
  memoryPercent?: number;
}

const OPT = "/opt/slipway";
const ETC = "/etc/slipway";
const VAR = "/var/lib/slipway";
/** Versions are taken in and out of service, and trainings are published. */
const MODELS = `${VAR}/models`;
const RUNTIME_FOLDER = "slipway";

/** Beyond the time that a frontend takes to answer what it has. */
const STOP_MARGIN_S = 10;
/** A worker gives its jobs back after five seconds, and their processes have three to end. */
const WORKER_STOP_S = 20;

/** @param instance of a service that has several; systemd puts the name in the place of `%i` */
export function describeService(
  service: ServingService,
  { serving, queueServer }: ServiceSettings,
  instance = "%i",
): ServiceDescription {
  const common: Pick<ServiceDescription, "environment" | "stateMode" | "sockets" | "gpu" | "makesCode"> = {
    environment: {},
    stateMode: "0750",
    sockets: [],
    gpu: false,
    makesCode: true,
  };
  const runtimes = runtimeUnits(serving.runtimes);
  const afterAll = ["network-online.target", "slipway-queue.service", ...runtimes];
  switch (service) {
    case "queue":
      return {
        ...common,
        title: "Slipway queue",
        after: ["network.target"],
        command: [queueServer, `${ETC}/queue.conf`],
        stateFolders: ["slipway/queue"],
        stateMode: "0700",
        changes: [],
        reads: [ETC],
        network: "any",
        makesCode: false,
      };
    case "runtime": {
      const durable = durableModels(serving).length > 0;
      return {
        ...common,
        ...ofPayload("runtime", instance),
        title: `Slipway model runtime ${instance}`,
        after: ["network.target", ...(durable ? ["slipway-queue.service"] : [])],
        runtimeFolder: RUNTIME_FOLDER,
        stateFolders: [],
        changes: [],
        reads: [OPT, ETC, VAR],
        network: durable ? "queue" : "none",
        gpu: serving.runtimes.some(({ device }) => device === "cuda"),
        memoryPercent: runtimes.length > 1 ? 45 : 90,
      };
    }
    case "frontend":
      return {
        ...common,
        ...ofPayload("frontend"),
        title: `Slipway frontend ${instance}`,
        after: afterAll,
        // held by systemd, so that the next instance takes over beside this one and no connection is refused meanwhile
        sockets: socketUnits(serving).map(({ file }) => file),
        environment: {
          NODE_ENV: "production",
          SLIPWAY_INSTANCE: instance,
          SLIPWAY_HOLD: `/run/slipway-agent/frontend-${instance}`,
          SLIPWAY_HELD_SOCKET: `/run/slipway-frontend/${instance}.sock`,
        },
        runtimeFolder: "slipway-frontend",
        // the first process tells the others, once nothing comes to them any more
        stopS: Math.ceil(frontendSettingsOf(serving).drainMs / 1000) + STOP_MARGIN_S,
        // the counters that outlast a restart, and what jobs begin with and leave
        stateFolders: ["slipway/frontend", "slipway/spool", ...(serving.aiengine ? ["slipway/aiengine"] : [])],
        changes: [MODELS],
        reads: [OPT, ETC, VAR, `/run/${RUNTIME_FOLDER}`, "/run/slipway-agent"],
        network: "any",
      };
    case "worker":
      return {
        ...common,
        ...ofPayload("worker"),
        title: `Slipway worker ${instance}`,
        after: afterAll,
        // it lets short jobs end and gives long ones back, and sees to their processes itself
        stopS: WORKER_STOP_S,
        stateFolders: ["slipway/spool"],
        changes: [MODELS],
        reads: [OPT, ETC, VAR, `/run/${RUNTIME_FOLDER}`],
        network: "any",
      };
  }
}

function ofPayload(entry: string, ...args: string[]): Pick<ServiceDescription, "command" | "environment"> {
  return {
    command: [`${OPT}/current/runtime/bin/node`, `${OPT}/current/app/${entry}.mjs`, ...args],
    environment: { NODE_ENV: "production" },
  };
}
