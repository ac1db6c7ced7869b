import { containerLines } from "./containers/unit.ts";
import { describeService, type ServiceDescription, type ServiceSettings } from "./service-description.ts";
import { SERVICE_USER, type Service } from "./unit-names.ts";

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
const unprivileged = [
  `User=${SERVICE_USER}`,
  `Group=${SERVICE_USER}`,
  "UMask=0027",
  families,
  "CapabilityBoundingSet=",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
];

/** The text of a unit file. */
export function unitText(service: Service, settings: ServiceSettings): string {
  if (service === "agent") return agentUnit();
  const described = describeService(service, settings);
  const { title, after } = described;
  const { containers } = settings;
  if (containers) return unit(title, after, containerLines(service, described, containers));
  return unit(title, after, plainLines(described));
}

function plainLines(described: ServiceDescription): string[] {
  const { command, environment, runtimeFolder, stateFolders, stateMode, changes, sockets } = described;
  const { network, gpu, makesCode, stopS, memoryPercent } = described;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [
    "Type=exec",
    `ExecStart=${command.join(" ")}`,
    ...(variables.length > 0 ? [`Environment=${variables.join(" ")}`] : []),
    ...(sockets.length > 0 ? [`Sockets=${sockets.join(" ")}`] : []),
    ...(runtimeFolder === undefined
      ? []
      : [`RuntimeDirectory=${runtimeFolder}`, "RuntimeDirectoryMode=0750", "RuntimeDirectoryPreserve=yes"]),
    ...(stateFolders.length > 0 ? [`StateDirectory=${stateFolders.join(" ")}`, `StateDirectoryMode=${stateMode}`] : []),
    ...(changes.length > 0 ? [`ReadWritePaths=${changes.map((path) => `-${path}`).join(" ")}`] : []),
    ...(stopS === undefined ? [] : ["KillMode=mixed", `TimeoutStopSec=${stopS}`]),
    ...unprivileged,
    ...(gpu ? gpuDevices : [noDevices]),
    ...(network === "none" ? [noNetwork] : []),
    ...(network === "queue" ? loopbackAlone : []),
    ...(makesCode ? [] : ["MemoryDenyWriteExecute=yes"]),
    ...(memoryPercent === undefined ? [] : [`MemoryMax=${memoryPercent}%`, "OOMScoreAdjust=500"]),
    ...hardening,
  ];
}

function agentUnit(): string {
  return unit(
    "Slipway agent",
    ["network-online.target"],
    [
      "Type=exec",
      // Root: it restarts the units above and writes what they run from. Everything else is taken from it.
      "ExecStart=/opt/slipway/current/runtime/bin/node /opt/slipway/current/app/agent.mjs",
      "Environment=NODE_ENV=production",
      "RuntimeDirectory=slipway-agent",
      // an agent that ends must not let through what its release holds back
      "RuntimeDirectoryPreserve=yes",
      "ReadWritePaths=/etc/slipway /etc/systemd/system /opt/slipway /var/lib/slipway /var/log/slipway",
      "CapabilityBoundingSet=CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE",
      families,
      ...hardening,
    ],
  );
}

function unit(title: string, after: string[], service: string[]): string {
  return [
    "[Unit]",
    `Description=${title}`,
    `After=${after.join(" ")}`,
    ...(after.includes("network-online.target") ? ["Wants=network-online.target"] : []),
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    ...service,
    "Restart=always",
    "RestartSec=1",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}
