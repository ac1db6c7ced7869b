import { durableModels, type RuntimeGroup, type ServingConfig } from "../serving/config.ts";
import { frontendSettingsOf } from "../serving/frontend/config.ts";
import type { Listener } from "../serving/listening/inherited.ts";
import type { HostConfig } from "./host-config.ts";

/** The services of a host. `queue` … `worker` follow the host's roles; every host has an agent. */
export type Service = "queue" | "runtime" | "frontend" | "worker" | "agent";

/** The services that run a payload's code. The queue's server is the distribution's. */
export const payloadServices: Service[] = ["runtime", "frontend", "worker"];

export const SERVICE_USER = "slipway";

/** One of the frontend's two instances: one serves, and the other takes over where something about it changes. */
export type FrontendInstance = "a" | "b";

/** The name of a service's unit file; runtimes, frontends and workers are instances of one. */
export function unitFile(service: Service): string {
  const single = service === "queue" || service === "agent";
  return single ? `slipway-${service}.service` : `slipway-${service}@.service`;
}

export function frontendUnit(instance: FrontendInstance): string {
  return `slipway-frontend@${instance}.service`;
}

/** Groups of runtimes, as far as units are concerned. */
type Runtimes = Pick<RuntimeGroup, "name" | "replicas">[];

/** Which instances of its services a host has. */
export interface Instances {
  runtimes: Runtimes;
  /** The one that serves. */
  frontend: FrontendInstance;
  /** How many. */
  workers: number;
}

/** The names of a service's units. */
export function unitNames(service: Service, { runtimes, frontend, workers }: Instances): string[] {
  if (service === "runtime") return runtimeUnits(runtimes);
  if (service === "worker") return Array.from({ length: workers }, (_, index) => workerUnit(index + 1));
  return [service === "frontend" ? frontendUnit(frontend) : unitFile(service)];
}

/** @param number workers are counted from 1 */
function workerUnit(number: number): string {
  return `slipway-worker@${number}.service`;
}

function runtimeUnits(runtimes: Runtimes): string[] {
  return runtimes.flatMap(({ name, replicas }) =>
    Array.from({ length: replicas }, (_, replica) => runtimeUnit(`${name}-${replica}`)),
  );
}

/** @param instance a runtime's group and its number in it, as in the name of its socket */
export function runtimeUnit(instance: string): string {
  return `slipway-runtime@${instance}.service`;
}

export function isRuntimeUnit(unit: string): boolean {
  return unit.startsWith("slipway-runtime@");
}

/** The services that serve on a host of these roles, in the order in which they start. */
export function servingServices(host: HostConfig): Service[] {
  return (["queue", "runtime", "frontend", "worker"] as const).filter((role) => host.roles[role] !== undefined);
}

// What no service of ours needs; each was tried in a container guest, where some are without effect but none does harm.
const hardening = [
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelLogs=yes",
  "ProtectControlGroups=yes",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "SystemCallArchitectures=native",
];
/** Netlink is how Node lists the addresses that it listens on. */
const families = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK";
const noDevices = "PrivateDevices=yes";
/** NVIDIA's, beside those that every process may open. */
const gpuDevices = ["DevicePolicy=closed", "DeviceAllow=char-nvidia* rw"];
const noNetwork = "PrivateNetwork=yes";
/** For the queue's server; a function that serves as a model gets no farther. */
const loopbackAlone = ["IPAddressDeny=any", "IPAddressAllow=localhost"];
const modelsWritable = "ReadWritePaths=-/var/lib/slipway/models";
const unprivileged = [
  `User=${SERVICE_USER}`,
  `Group=${SERVICE_USER}`,
  "UMask=0027",
  families,
  "CapabilityBoundingSet=",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
];

/** Beyond the time that a frontend takes to answer what it has. */
const STOP_MARGIN_S = 10;
/** A worker gives its jobs back after five seconds, and their processes have three to end. */
const WORKER_STOP_S = 20;

/** What a host's services run with: serving.json, and the path of Valkey's or Redis' server. */
export interface ServiceSettings {
  serving: ServingConfig;
  queueServer: string;
}

/** The text of a unit file. */
export function unitText(service: Service, { serving, queueServer }: ServiceSettings): string {
  const afterAll = `network-online.target slipway-queue.service ${runtimeUnits(serving.runtimes).join(" ")}`;
  switch (service) {
    case "queue":
      return unit("Slipway queue", "network.target", [
        `ExecStart=${queueServer} /etc/slipway/queue.conf`,
        "StateDirectory=slipway/queue",
        "StateDirectoryMode=0700",
        ...unprivileged,
        noDevices,
        "MemoryDenyWriteExecute=yes",
      ]);
    case "runtime": {
      const durable = durableModels(serving).length > 0;
      return unit("Slipway model runtime %i", durable ? "network.target slipway-queue.service" : "network.target", [
        ...nodeService("runtime", "%i"),
        // the socket's folder outlives restarts, so that the frontend finds the new socket at the old place
        "RuntimeDirectory=slipway",
        "RuntimeDirectoryMode=0750",
        "RuntimeDirectoryPreserve=yes",
        ...unprivileged,
        ...(serving.runtimes.some(({ device }) => device === "cuda") ? gpuDevices : [noDevices]),
        ...(durable ? loopbackAlone : [noNetwork]),
        // a model that wants all of the host's memory takes its own runtime down and nothing else
        `MemoryMax=${runtimeUnits(serving.runtimes).length > 1 ? 45 : 90}%`,
        "OOMScoreAdjust=500",
      ]);
    }
    case "frontend":
      return unit("Slipway frontend %i", afterAll, [
        ...nodeService("frontend"),
        // held by systemd, so that the next instance takes over beside this one and no connection is refused meanwhile
        `Sockets=${socketUnits(serving)
          .map(({ file }) => file)
          .join(" ")}`,
        "Environment=SLIPWAY_HOLD=/run/slipway-agent/frontend-%i SLIPWAY_HELD_SOCKET=/run/slipway-frontend/%i.sock",
        "RuntimeDirectory=slipway-frontend",
        "RuntimeDirectoryMode=0750",
        "RuntimeDirectoryPreserve=yes",
        // the first process tells the others, once nothing comes to them any more
        "KillMode=mixed",
        `TimeoutStopSec=${Math.ceil(frontendSettingsOf(serving).drainMs / 1000) + STOP_MARGIN_S}`,
        // the counters that outlast a restart, and what jobs begin with and leave
        `StateDirectory=slipway/frontend slipway/spool${serving.aiengine ? " slipway/aiengine" : ""}`,
        "StateDirectoryMode=0750",
        // versions are taken in and out of service, and AIEngine trains some
        modelsWritable,
        ...unprivileged,
        noDevices,
      ]);
    case "worker":
      return unit("Slipway worker %i", afterAll, [
        ...nodeService("worker"),
        // it lets short jobs end and gives long ones back, and sees to their processes itself
        "KillMode=mixed",
        `TimeoutStopSec=${WORKER_STOP_S}`,
        "StateDirectory=slipway/spool",
        "StateDirectoryMode=0750",
        // a training that is published
        modelsWritable,
        ...unprivileged,
        noDevices,
      ]);
    case "agent":
      return unit("Slipway agent", "network-online.target", [
        // Root: it restarts the units above and writes what they run from. Everything else is taken from it.
        ...nodeService("agent"),
        "RuntimeDirectory=slipway-agent",
        // an agent that ends must not let through what its release holds back
        "RuntimeDirectoryPreserve=yes",
        "ReadWritePaths=/etc/slipway /etc/systemd/system /opt/slipway /var/lib/slipway /var/log/slipway",
        "CapabilityBoundingSet=CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE",
        families,
      ]);
  }
}

function unit(description: string, after: string, service: string[]): string {
  return [
    "[Unit]",
    `Description=${description}`,
    `After=${after}`,
    ...(after.includes("network-online.target") ? ["Wants=network-online.target"] : []),
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    ...service,
    ...hardening,
    "Restart=always",
    "RestartSec=1",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

function nodeService(entry: string, ...args: string[]): string[] {
  return [
    `ExecStart=${["/opt/slipway/current/runtime/bin/node", `/opt/slipway/current/app/${entry}.mjs`, ...args].join(" ")}`,
    "Environment=NODE_ENV=production",
  ];
}

/** The socket units of a host's frontend, one for each of its listeners: file names and texts. */
export function socketUnits({ frontend, grpc, aiengine }: ServingConfig): { file: string; text: string }[] {
  const listeners: [Listener, string, { host: string; port: number } | undefined][] = [
    ["http", "slipway-frontend.socket", frontend],
    ["grpc", "slipway-grpc.socket", grpc && { host: frontend.host, ...grpc }],
    ["aiengine", "slipway-aiengine.socket", aiengine],
  ];
  return listeners.flatMap(([name, file, at]) => {
    if (at === undefined) return [];
    const text = [
      "[Unit]",
      `Description=Slipway's ${name} listener`,
      "",
      "[Socket]",
      `ListenStream=${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`,
      `FileDescriptorName=${name}`,
      // systemd wants one to start for whoever comes while none runs
      `Service=${frontendUnit("a")}`,
      "",
      "[Install]",
      "WantedBy=sockets.target",
      "",
    ].join("\n");
    return [{ file, text }];
  });
}
