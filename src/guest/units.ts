import type { HostConfig } from "./host-config.ts";

/** The services of a host. `queue` … `worker` follow the host's roles; every host has an agent. */
export type Service = "queue" | "runtime" | "frontend" | "worker" | "agent";

/** The services that run a payload's code. The queue's server is the distribution's. */
export const payloadServices: Service[] = ["runtime", "frontend", "worker"];

export const SERVICE_USER = "slipway";

/** All of a host's models are served by one group of runtimes. */
export const RUNTIME_GROUP = "default";
/** With two, one that is killed or restarted costs no request. */
export const RUNTIME_REPLICAS = 2;

/** The name of a service's unit file; runtimes are instances of one. */
export function unitFile(service: Service): string {
  return service === "runtime" ? "slipway-runtime@.service" : `slipway-${service}.service`;
}

/** The names of a service's units. */
export function unitNames(service: Service): string[] {
  if (service !== "runtime") return [unitFile(service)];
  return Array.from(
    { length: RUNTIME_REPLICAS },
    (_, replica) => `slipway-runtime@${RUNTIME_GROUP}-${replica}.service`,
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
const unprivileged = [
  `User=${SERVICE_USER}`,
  `Group=${SERVICE_USER}`,
  "UMask=0027",
  "PrivateDevices=yes",
  families,
  "CapabilityBoundingSet=",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
];

/** The text of a unit file. `queueServer` is the path of Valkey's or Redis' server. */
export function unitText(service: Service, host: HostConfig, queueServer: string): string {
  switch (service) {
    case "queue":
      return unit("Slipway queue", "network.target", [
        `ExecStart=${queueServer} /etc/slipway/queue.conf`,
        "StateDirectory=slipway/queue",
        "StateDirectoryMode=0700",
        ...unprivileged,
        "MemoryDenyWriteExecute=yes",
      ]);
    case "runtime":
      return unit("Slipway model runtime %i", "network.target", [
        ...nodeService("runtime", "%i"),
        // the socket's folder outlives restarts, so that the frontend finds the new socket at the old place
        "RuntimeDirectory=slipway",
        "RuntimeDirectoryMode=0750",
        "RuntimeDirectoryPreserve=yes",
        ...unprivileged,
        "PrivateNetwork=yes",
      ]);
    case "frontend":
      return unit("Slipway frontend", `network-online.target slipway-queue.service ${unitNames("runtime").join(" ")}`, [
        ...nodeService("frontend"),
        // the counters that outlast a restart, and what jobs begin with and leave
        "StateDirectory=slipway/frontend slipway/spool",
        "StateDirectoryMode=0750",
        ...(lowPort(host) ? unprivileged.filter((line) => line !== "CapabilityBoundingSet=") : unprivileged),
        ...(lowPort(host)
          ? ["CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE"]
          : []),
      ]);
    case "worker":
      return unit("Slipway worker", `network-online.target slipway-queue.service ${unitNames("runtime").join(" ")}`, [
        ...nodeService("worker"),
        "StateDirectory=slipway/spool",
        "StateDirectoryMode=0750",
        // a training that is published
        "ReadWritePaths=-/var/lib/slipway/models",
        ...unprivileged,
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

function lowPort(host: HostConfig): boolean {
  return (host.roles.frontend?.port ?? 1024) < 1024;
}
