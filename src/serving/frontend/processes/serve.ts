import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { openTokenStore } from "../../access/store.ts";
import type { serveAiEngine } from "../../aiengine/server.ts";
import { limitsOf, longestDeadlineOf, modelLimitsOf, ownRuntimes, type ServingConfig } from "../../config.ts";
import { durably } from "../../durable/connect.ts";
import type { serveGrpc } from "../../grpc/server.ts";
import { openHostQueue } from "../../jobs/host-queue.ts";
import { clearHeldSocket, holdBack, holdOf } from "../../listening/held-back.ts";
import { inheritedSocket, listenOn } from "../../listening/inherited.ts";
import { idleMsOf, partingServer } from "../../listening/parting.ts";
import { persistCounters } from "../../metrics/counters.ts";
import { Meter } from "../../metrics/meter.ts";
import { meterProcess } from "../../metrics/process-figures.ts";
import { Totals } from "../../metrics/totals.ts";
import type { RunningProcess } from "../../process.ts";
import { runtimeAddresses } from "../../routing/addresses.ts";
import { tellRuntimes } from "../../routing/log.ts";
import { Router } from "../../routing/router.ts";
import { withStandIn } from "../../routing/stand-in.ts";
import { readIdentity } from "../../runtime/identity.ts";
import { requireFittingTimeouts } from "../../timeouts.ts";
import { openCertificates } from "../../tls/files.ts";
import { registryConnections } from "../../workers/connections.ts";
import { openWorkers } from "../../workers/workers.ts";
import { buildFrontend } from "../app.ts";
import { frontendSettingsOf, processesOf } from "../config.ts";
import { meterModels } from "../models/model-figures.ts";
import { tryModels } from "../trials/try-models.ts";
import { meterWorkers } from "../workers/worker-figures.ts";
import { type Hub, localHub } from "./hub.ts";
import { HAND_OVER_MS, startFleet } from "./primary.ts";
import { remoteHub } from "./worker.ts";

const SETTLE_MS = 250;
/** A runtime that is there is found long before. */
const READY_MS = 10_000;
const READY_LOOK_MS = 20;

/** The whole frontend in this process. */
export async function servesAlone(config: ServingConfig, log: Logger): Promise<RunningProcess> {
  requireFittingConfig(config);
  await clearHeldSocket(process.env);
  const meter = new Meter();
  const totals = new Totals();
  const hub = localHub(meter, totals);
  const kept = await keptCounters(totals, config, log);
  const settling = setInterval(hub.settle, SETTLE_MS).unref();
  const serving = await serve(config, log, meter, hub);
  return {
    drainMs: frontendSettingsOf(config).drainMs,
    close: async () => {
      await serving.close();
      clearInterval(settling);
      hub.settle();
      await kept?.close();
    },
  };
}

/** Starts the processes that serve, and keeps what they have in common. */
export async function startsFleet(config: ServingConfig, log: Logger): Promise<RunningProcess> {
  requireFittingConfig(config);
  await clearHeldSocket(process.env);
  const totals = new Totals();
  const kept = await keptCounters(totals, config, log);
  const fleet = await startFleet({ processes: processesOf(config.frontend), totals, log });
  return {
    drainMs: frontendSettingsOf(config).drainMs + HAND_OVER_MS + DRAIN_MARGIN_MS,
    close: async () => {
      await fleet.close();
      await kept?.close();
    },
  };
}

/** One of the processes that a fleet is made of. */
export async function servesInFleet(config: ServingConfig, log: Logger): Promise<RunningProcess> {
  const meter = new Meter();
  const hub = remoteHub(meter);
  const serving = await serve(config, log, meter, hub);
  hub.up();
  return {
    drainMs: frontendSettingsOf(config).drainMs,
    close: async () => {
      await serving.close();
      await hub.close();
    },
  };
}

/** The processes come first: theirs is the log line that says what did not end. */
const DRAIN_MARGIN_MS = 1000;

/** Whoever waits waits longer than what it waits for. Throws SlipwayError E_CONFIG_INVALID. */
export function requireFittingConfig(config: ServingConfig): void {
  const { clientTimeoutMs, requestTimeoutMs, drainMs } = frontendSettingsOf(config);
  const deadlineMs = longestDeadlineOf(config);
  const workersMs = config.workers.deadlineMs;
  requireFittingTimeouts([
    ["frontend.clientTimeoutMs", clientTimeoutMs],
    ["frontend.requestTimeoutMs + limits.deadlineMs", requestTimeoutMs + deadlineMs],
  ]);
  requireFittingTimeouts([
    ["frontend.requestTimeoutMs", requestTimeoutMs],
    ["limits.deadlineMs", deadlineMs],
  ]);
  requireFittingTimeouts([
    ["frontend.drainMs", drainMs],
    ["limits.deadlineMs", deadlineMs],
  ]);
  requireFittingTimeouts([
    ["frontend.clientTimeoutMs", clientTimeoutMs],
    ["frontend.requestTimeoutMs + workers.deadlineMs", requestTimeoutMs + workersMs],
  ]);
  requireFittingTimeouts([
    ["frontend.drainMs", drainMs],
    ["workers.deadlineMs", workersMs],
    ["workers.connectMs", config.workers.connectMs],
  ]);
  requireFittingTimeouts([
    ["workers.ttlMs", config.workers.ttlMs],
    ["workers.heartbeatMs", config.workers.heartbeatMs],
  ]);
}

function keptCounters(totals: Totals, { frontend }: ServingConfig, log: Logger) {
  const { stateDir } = frontend;
  const { SLIPWAY_INSTANCE: instance = "" } = process.env;
  return stateDir === undefined ? undefined : persistCounters(totals, { stateDir, instance, log });
}

/** Loads what speaks gRPC where it is served: that takes a tenth of a second. */
async function listenGrpc(...parameters: Parameters<typeof serveGrpc>): ReturnType<typeof serveGrpc> {
  const { serveGrpc: serve } = await import("../../grpc/server.ts");
  return serve(...parameters);
}

/** Loads what speaks with openGauss where it is served. */
async function listenAiEngine(...parameters: Parameters<typeof serveAiEngine>): ReturnType<typeof serveAiEngine> {
  const { serveAiEngine: serve } = await import("../../aiengine/server.ts");
  return serve(...parameters);
}

/**
 * Listens at once, or where a release holds this frontend back, when it does not any more.
 * @returns what ends the waiting
 */
async function listenWhenLifted(
  app: FastifyInstance,
  { listen, isReady, log }: { listen: () => Promise<void>; isReady: () => boolean; log: Logger },
): Promise<() => Promise<void>> {
  const hold = holdOf(process.env);
  if (hold === undefined) {
    await listen();
    return async () => undefined;
  }
  await app.ready();
  const held = await holdBack(hold, app.routing);
  let closing = false;
  const listening = held.lifted
    .then(async () => {
      // the release has asked one of the frontend's processes, and the others may not have found a runtime yet
      for (const end = performance.now() + READY_MS; !isReady() && performance.now() < end && !closing; ) {
        await sleep(READY_LOOK_MS);
      }
      if (closing) return;
      await listen();
      await held.end();
    })
    .catch((error: unknown) => {
      log.fatal({ err: error }, "cannot listen");
      process.exit(1);
    });
  return async () => {
    closing = true;
    await held.end();
    await listening;
  };
}

async function serve(config: ServingConfig, log: Logger, meter: Meter, hub: Hub): Promise<RunningProcess> {
  const limits = limitsOf(config);
  const { tokensFile, host, port, tls } = config.frontend;
  const { drainMs } = frontendSettingsOf(config);
  const certificates = tls && (await openCertificates(tls, "frontend.tls", log));
  const tokens = tokensFile === undefined ? undefined : await openTokenStore(tokensFile, log);
  const access = { tokens, sessionKey: await hub.sessionKey() };
  const router = new Router({
    sockets: await runtimeAddresses(config),
    deadlineMs: limits.deadlineMs,
    deadlineOf: (model) => modelLimitsOf(config, model).deadlineMs,
    inFlightRows: limits.inFlightRows,
    onChange: () => tellRuntimes(router, log),
  });
  const durable = await durably(router, config, log);
  const jobs = await openHostQueue(config, log);
  const { runtimeTls } = config.workers;
  const workers = openWorkers({
    settings: config.workers,
    own: ownRuntimes(config),
    identity: runtimeTls && (await readIdentity(runtimeTls, "workers.runtimeTls")),
    router,
    queue: config.queue && (await registryConnections(config.queue, log)),
    log,
    ...meterWorkers(meter, () => workers.pool),
  });
  meterProcess(meter, String(process.pid));
  const counted = meterModels({ config, limits, router: durable.router, jobs, workers }, meter);
  const context = tryModels({ ...counted, router: withStandIn(counted.router) }, router, meter);
  const app = buildFrontend(context, log, { access, meter, hub, certificates });
  const part = partingServer(app.server);
  // else the first requests would ask for models that nobody is known to have
  await workers.settle();
  const listeners: { close(): Promise<void> }[] = [];
  const listen = async () => {
    // before HTTP, where readiness is asked for: a host that is ready answers databases, too
    if (config.aiengine) listeners.push(await listenAiEngine({ context, settings: config.aiengine, log }));
    await app.listen(listenOn("http", { host, port }));
    if (config.grpc) {
      listeners.push(await listenGrpc({ context, hub, access, certificates, log }, { host, ...config.grpc }));
    }
  };
  const closeHeld = await listenWhenLifted(app, { listen, isReady: () => router.runtimes.length > 0, log });
  return {
    close: async () => {
      await closeHeld();
      // without a successor that takes new connections, nobody gains from old ones that stay
      if (inheritedSocket("http") !== undefined) part(idleMsOf(drainMs));
      await Promise.all([app.close(), ...listeners.map((listener) => listener.close())]);
      await workers.close();
      await jobs?.close();
      await durable.close();
      router.close();
      tokens?.close();
      certificates?.close();
    },
  };
}
