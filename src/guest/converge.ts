import { join } from "node:path";
import { ensureText } from "../common/files.ts";
import { durableModels } from "../serving/config.ts";
import { ensureTokens } from "./access.ts";
import { ensureCertificates } from "./certificates.ts";
import { ensureComposeFile } from "./containers/compose.ts";
import { ensurePodman } from "./containers/engine.ts";
import { ensureImage } from "./containers/image.ts";
import { ensureContainerNetwork } from "./containers/network.ts";
import type { ContainerNetwork } from "./containers/plan.ts";
import type { ContainerSettings } from "./containers/settings.ts";
import { exchangeModels } from "./exchange.ts";
import { passGate } from "./gate.ts";
import { closeGit, ensureGit } from "./git/ensure-git.ts";
import { giveUpHeld, handOver, heldSocket, startHeld } from "./handover.ts";
import type { Host } from "./host.ts";
import { defaultModel, type Manifest } from "./manifest.ts";
import { activateModels, ensureModels, readProbe, shareRegistry } from "./model.ts";
import { activatePayload, ensurePayload } from "./payload.ts";
import { ensureQueueConfig, ensureQueueServer } from "./queue.ts";
import { requireSameProtocol } from "./rolling.ts";
import type { ServiceSettings } from "./service-description.ts";
import { collapsedService, endStaleListeners, ensureRunning, ensureUnits, servingFrontend } from "./services.ts";
import { LOOPBACK, servingFileOf } from "./serving-file.ts";
import { type Instances, otherThan, payloadServices, SERVICE_USER, type Service } from "./unit-names.ts";

/** A guest under software emulation starts Node in minutes; a service that does not stay up ends the wait long before. */
const GATE_TIMEOUT_MS = 300_000;

/** In a container's own network; outside of it nobody reaches it. */
const EVERY_ADDRESS = "0.0.0.0";

/** How services come to run what a manifest says. */
export interface Services {
  /** Run anew in any case; others do where their configuration changed. */
  restart: Service[];
  /** Run what the manifest says already, whatever the files say that are put in order. */
  asTheyAre?: Service[];
}

/** Steps of {@link converge} whose failure leaves the running services as they were. */
export const stepsBeforeRestart = [
  "containers",
  "configuration",
  "payload",
  "users",
  "queue",
  "image",
  "model",
  "certificates",
  "git",
  "units",
];

/**
 * Makes the host run what a manifest says and shows that it does: a transaction of re-runnable, journalled steps. The same steps make
 * a first boot, a new model, a new payload, and the way back from either.
 * Where the host serves already its services are exchanged one after the other: runtimes, the worker, and then the frontend, which the
 * next one replaces once that has passed the gate.
 * @returns the numbers that the golden question was answered with
 * @throws StepFailed
 */
export async function converge(
  host: Host,
  manifest: Manifest,
  { restart, asTheyAre = [] }: Services,
): Promise<number[]> {
  const { config, paths, journal } = host;
  const model = defaultModel(manifest);
  const { tokens, aiengine, scale, git, containers: wanted } = manifest.settings;
  const network = wanted && (await journal.step("containers", () => ensureContainers(host, wanted)));
  const { file, serving } = await journal.step("configuration", async () => {
    await requireSameProtocol(host);
    return servingFileOf(host, manifest, network?.queueAddress);
  });
  await journal.step("payload", async () => {
    await ensurePayload(paths, config.sourceUrl, manifest.payload);
    await activatePayload(paths, manifest.payload);
  });
  await journal.step("users", () => ensureServiceUser(host));
  const queue = await journal.step("queue", () =>
    ensureQueue(host, network ? EVERY_ADDRESS : LOOPBACK, durableModels(serving).length > 0),
  );
  const runtime = join(paths.currentPayload, "runtime");
  const image = network && (await journal.step("image", () => ensureImage(host, runtime, queue.server)));
  await journal.step("model", async () => {
    await ensureModels(paths, config.sourceUrl, manifest);
    await activateModels(paths, manifest);
    await shareRegistry(host);
  });
  if (aiengine !== undefined) await journal.step("certificates", () => ensureCertificates(host, aiengine));
  if (git !== undefined) await journal.step("git", () => ensureGit(host, git));
  else await closeGit(paths);
  const serves = await servingFrontend(paths);
  const instances: Instances = { runtimes: serving.runtimes, frontend: serves ?? "a", workers: scale?.worker ?? 1 };
  const settings: ServiceSettings = {
    serving,
    queueServer: queue.server,
    ...(network && image !== undefined && { containers: { image, network } }),
  };
  const { token, changed, listeners } = await journal.step("units", async () => {
    const token = await ensureTokens(host, tokens);
    // whoever reads it reads it at its start
    const readers = (await ensureText(paths.serving, file, 0o644)) ? payloadServices : [];
    const { changed, listeners } = await ensureUnits(host, settings, instances, serves);
    await ensureComposeFile(host, settings, instances);
    return { token, changed: [...readers, ...changed], listeners };
  });
  const anew = [...restart, ...[...changed, ...queue.changed].filter((service) => !asTheyAre.includes(service))];
  const next = serves && anew.includes("frontend") ? otherThan(serves) : undefined;
  const exchanged = next ? anew.filter((service) => service !== "frontend") : anew;
  await journal.step("start", async () => {
    await ensureRunning(host, { instances, restart: exchanged });
    if (next === undefined) await endStaleListeners(host, serving);
  });
  if (serves === undefined || next === undefined) return journal.step("gate", () => askGate(instances));
  try {
    const outputs = await journal.step("gate", async () => {
      await startHeld(host, next, listeners);
      return askGate({ ...instances, frontend: next }, heldSocket(host, next));
    });
    await journal.step("switch", async () => {
      await handOver(host, serves, next);
      await endStaleListeners(host, serving);
    });
    return outputs;
  } catch (error) {
    // what failed is told, whatever comes of this
    if ((await servingFrontend(paths)) === serves) await giveUpHeld(host, next).catch(() => undefined);
    throw error;
  }

  async function askGate(asked: Instances, socket?: string): Promise<number[]> {
    const port = config.roles.frontend?.port;
    if (port === undefined) return [];
    const probe = await readProbe(paths, model);
    const expected = {
      payload: manifest.payload.digest,
      model: model.digest,
      probe,
      jobs: config.roles.queue !== undefined && config.roles.worker !== undefined && probe.path === "/v1/predict",
      token,
    };
    const failure = await exchangeModels(host);
    if (failure !== undefined) throw new Error(failure);
    // and again: a runtime that was starting meanwhile may have read the registry before
    const hopeless = async () => (await collapsedService(host, asked)) ?? exchangeModels(host);
    const options = { timeoutMs: GATE_TIMEOUT_MS, hopeless, ...(socket && { socket }) };
    return passGate(host.frontendUrl(port), expected, options);
  }
}

/** What containers need beside an image: Podman and their network. */
async function ensureContainers(host: Host, settings: ContainerSettings): Promise<ContainerNetwork> {
  await ensurePodman(host);
  return ensureContainerNetwork(host, settings);
}

async function ensureServiceUser({ run }: Host): Promise<void> {
  try {
    await run("getent", ["passwd", SERVICE_USER]);
  } catch {
    // getent's way to say that there is none; should it be something else, useradd says so
    await run("useradd", [
      "--system",
      "--user-group",
      "--home-dir",
      "/var/lib/slipway",
      "--shell",
      "/usr/sbin/nologin",
      SERVICE_USER,
    ]);
  }
}

/** The path of the queue's server, empty on a host without a queue, and the queue itself where its configuration changed. */
async function ensureQueue(
  host: Host,
  address: string,
  durable: boolean,
): Promise<{ server: string; changed: Service[] }> {
  const queue = host.config.roles.queue;
  if (queue === undefined) return { server: "", changed: [] };
  const server = await ensureQueueServer(host);
  return {
    server,
    changed: (await ensureQueueConfig(host, { host: address, port: queue.port }, durable)) ? ["queue"] : [],
  };
}
