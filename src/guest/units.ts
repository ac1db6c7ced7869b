import { durableModels, type RuntimeGroup, type ServingConfig } from "../serving/config.ts";
import type { HostConfig } from "./host-config.ts";

/** The services of a host. `queue` … `worker` follow the host's roles; every host has an agent. */
export type Service = "queue" | "runtime" | "frontend" | "worker" | "agent";

/** The services that run a payload's code. The queue's server is the distribution's. */
export const payloadServices: Service[] = ["runtime", "frontend", "worker"];

export const SERVICE_USER = "slipway";

/** The name of a service's unit file; runtimes are instances of one. */
export function unitFile(service: Service): string {
  return service === "runtime" ? "slipway-runtime@.service" : `slipway-${service}.service`;
}

/** Groups of runtimes, as far as units are concerned. */
export type Runtimes = Pick<RuntimeGroup, "name" | "replicas">[];

/** The names of a service's units. */
export function unitNames(service: Service, runtimes: Runtimes): string[] {
  if (service !== "runtime") return [unitFile(service)];
  return runtimes.flatMap(({ name, replicas }) =>
    Array.from({ length: replicas }, (_, replica) => `slipway-runtime@${name}-${replica}.service`),
  );
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

/** What a host's services run with: serving.json, and the path of Valkey's or Redis' server. */
export interface ServiceSettings {
  serving: ServingConfig;
  queueServer: string;
}

/** The text of a unit file. */
export function unitText(service: Service, { serving, queueServer }: ServiceSettings): string {
  const afterAll = `network-online.target slipway-queue.service ${unitNames("runtime", serving.runtimes).join(" ")}`;
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
        `MemoryMax=${unitNames("runtime", serving.runtimes).length > 1 ? 45 : 90}%`,
        "OOMScoreAdjust=500",
      ]);
    }
    case "frontend":
      return unit("Slipway frontend", afterAll, [
        ...nodeService("frontend"),
        // the counters that outlast a restart, and what jobs begin with and leave
        `StateDirectory=slipway/frontend slipway/spool${serving.aiengine ? " slipway/aiengine" : ""}`,
        "StateDirectoryMode=0750",
        // versions are taken in and out of service, and AIEngine trains some
        modelsWritable,
        ...(lowPort(serving) ? unprivileged.filter((line) => line !== "CapabilityBoundingSet=") : unprivileged),
        noDevices,
        ...(lowPort(serving)
          ? ["CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE"]
          : []),
      ]);
    case "worker":
      return unit("Slipway worker", afterAll, [
        ...nodeService("worker"),
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

/** Whether the frontend listens where only root may. */
function lowPort({ frontend, grpc, aiengine }: ServingConfig): boolean {
  return [frontend, grpc, aiengine].some((listener) => listener !== undefined && listener.port < 1024);
}
