import { mkdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { heldSocket } from "../../src/guest/handover.ts";
import type { GuestPaths } from "../../src/guest/paths.ts";
import { storeOf } from "../../src/serving/access/store.ts";
import { parseTokens } from "../../src/serving/access/tokens.ts";
import { limitsOf, runtimeSockets, servingConfig } from "../../src/serving/config.ts";
import { buildFrontend } from "../../src/serving/frontend/app.ts";
import { meterModels } from "../../src/serving/frontend/models/model-figures.ts";
import { localHub } from "../../src/serving/frontend/processes/hub.ts";
import { tryModels } from "../../src/serving/frontend/trials/try-models.ts";
import { holdBack, holdOf } from "../../src/serving/listening/held-back.ts";
import { Meter } from "../../src/serving/metrics/meter.ts";
import { Router } from "../../src/serving/routing/router.ts";
import { withStandIn } from "../../src/serving/routing/stand-in.ts";
import { noWorkers } from "../serving/no-workers.ts";

/**
 * A host's frontend in the test's own process, of what serving.json says at its start, at a port of its own that its two instances keep: one
 * at a time has it.
 */
export function hostFrontend(paths: GuestPaths) {
  const log = pino({ enabled: false });
  let port = 0;
  const running = new Map<string, () => Promise<unknown>>();
  const stop = async (instance: string) => {
    const end = running.get(instance);
    running.delete(instance);
    await end?.();
  };
  onTestFinished(async () => {
    await Promise.all([...running.keys()].map(stop));
  });
  const start = async (instance: "a" | "b") => {
    if (running.has(instance)) return;
    const config = servingConfig.parse(JSON.parse(readFileSync(paths.serving, "utf8")));
    const limits = limitsOf(config);
    const router = new Router({ sockets: runtimeSockets(config), deadlineMs: 5000, inFlightRows: 10_000 });
    const meter = new Meter();
    const counted = meterModels({ config, limits, router, jobs: undefined, workers: noWorkers(config) }, meter);
    const context = tryModels({ ...counted, router: withStandIn(counted.router) }, router, meter);
    const { tokensFile } = config.frontend;
    const tokens = tokensFile === undefined ? undefined : storeOf(parseTokens(readFileSync(tokensFile, "utf8")));
    const access = { tokens, sessionKey: new Uint8Array(32) };
    const app = buildFrontend(context, log, { access, meter, hub: localHub(meter) });
    const listen = async () => {
      await Promise.all([...running.keys()].filter((other) => other !== instance).map(stop));
      await app.listen({ host: "127.0.0.1", port });
      port = (app.server.address() as AddressInfo).port;
    };
    const socket = heldSocket({ paths }, instance);
    const hold = holdOf({ SLIPWAY_HOLD: join(paths.holds, `frontend-${instance}`), SLIPWAY_HELD_SOCKET: socket });
    if (hold) mkdirSync(paths.heldSockets, { recursive: true });
    await app.ready();
    const held = hold && (await holdBack(hold, app.routing));
    running.set(instance, async () => {
      await held?.end();
      router.close();
      await app.close();
    });
    if (held === undefined) return listen();
    void held.lifted.then(async () => {
      if (!running.has(instance)) return;
      await listen();
      await held.end();
    });
  };
  return { start, stop, running: () => [...running.keys()], url: () => `http://127.0.0.1:${port}` };
}
