import { rm } from "node:fs/promises";
import { ensureText } from "../../common/files.ts";
import type { ServingConfig } from "../../serving/config.ts";
import type { Host } from "../host.ts";
import { describeService, type ServiceSettings } from "../service-description.ts";
import { type Instances, runtimeInstances, SERVICE_USER, type ServingService, servingServices } from "../unit-names.ts";
import { dynamicRange } from "./network.ts";
import { type ContainerPlan, NETWORK } from "./plan.ts";
import { volumesOf } from "./unit.ts";

/** A service of a compose file (https://github.com/compose-spec/compose-spec), as far as ours need it. */
interface ComposeService {
  image: string;
  pull_policy: "never";
  hostname: string;
  command: string[];
  environment: Record<string, string>;
  user: string;
  read_only: true;
  tmpfs: string[];
  cap_drop: string[];
  security_opt: string[];
  volumes: string[];
  restart: "always";
  stop_grace_period: string;
  depends_on: string[];
  network_mode?: "none";
  networks?: Record<string, { ipv4_address?: string }>;
  ports?: string[];
  deploy?: { replicas: number };
}

/** A compose file: JSON is YAML. */
interface ComposeFile {
  name: string;
  services: Record<string, ComposeService>;
  networks: Record<string, unknown>;
}

/** Writes the host's services as a compose file, for whoever wants to run them by another tool; removes it where there are no containers. */
export async function ensureComposeFile(
  { config, paths }: Host,
  settings: ServiceSettings,
  instances: Instances,
): Promise<void> {
  if (settings.containers === undefined) return rm(paths.compose, { force: true });
  const file = composeFile(servingServices(config), settings, settings.containers, instances);
  await ensureText(paths.compose, `${JSON.stringify(file, null, 2)}\n`, 0o644);
}

/**
 * The services that units run, as one compose file: the same image, commands, folders and network. What systemd does for a frontend, to
 * listen, the file's own published ports do; nothing else is published.
 */
export function composeFile(
  services: readonly ServingService[],
  settings: ServiceSettings,
  { image, network }: ContainerPlan,
  { runtimes, workers }: Instances,
): ComposeFile {
  const described = services.flatMap((service) => instancesOf(service, runtimes).map((one) => ({ service, ...one })));
  const names = described.map(({ name }) => name);
  const entries = described.map(({ service, name, instance }): [string, ComposeService] => {
    const description = describeService(service, settings, instance);
    const { command, environment, stopS = 15 } = description;
    return [
      name,
      {
        image,
        pull_policy: "never",
        hostname: settings.serving.host,
        command,
        environment,
        user: SERVICE_USER,
        read_only: true,
        tmpfs: ["/tmp"],
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges"],
        volumes: volumesOf(description),
        restart: "always",
        stop_grace_period: `${stopS}s`,
        depends_on: names.filter((other) => startsBefore(other, service)),
        ...(description.network === "none"
          ? { network_mode: "none" as const }
          : { networks: { [NETWORK]: service === "queue" ? { ipv4_address: network.queueAddress } : {} } }),
        ...(service === "frontend" && { ports: portsOf(settings.serving) }),
        ...(service === "worker" && { deploy: { replicas: workers } }),
      },
    ];
  });
  return {
    name: NETWORK,
    services: Object.fromEntries(entries),
    networks: {
      [NETWORK]: {
        name: NETWORK,
        driver: "bridge",
        driver_opts: { "com.docker.network.driver.mtu": String(network.mtu) },
        ipam: { config: [{ subnet: network.subnet, ip_range: dynamicRange(network.subnet) }] },
      },
    },
  };
}

function instancesOf(service: ServingService, runtimes: Instances["runtimes"]): { name: string; instance: string }[] {
  if (service !== "runtime") return [{ name: service, instance: service === "frontend" ? "a" : "1" }];
  return runtimeInstances(runtimes).map((instance) => ({ name: `runtime-${instance}`, instance }));
}

function startsBefore(name: string, service: ServingService): boolean {
  if (service === "queue") return false;
  return name === "queue" || (name.startsWith("runtime-") && service !== "runtime");
}

function portsOf({ frontend, grpc, aiengine }: ServingConfig): string[] {
  return [frontend.port, grpc?.port, aiengine?.port].flatMap((port) => (port === undefined ? [] : [`${port}:${port}`]));
}
