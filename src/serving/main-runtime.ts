import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { SlipwayError } from "../common/errors.ts";
import {
  limitsOf,
  modelLimitsOf,
  modelSettingsOf,
  type RuntimeGroup,
  runtimeId,
  runtimeSocket,
  type ServingConfig,
  servesModel,
} from "./config.ts";
import { serveDurably } from "./durable/connect.ts";
import { type LoadedVersion, loadedVersions, versionsAtStart } from "./models/registry.ts";
import { modelFolder, readRegistry } from "./models/registry-file.ts";
import { loadPackage } from "./models/verify.ts";
import { runServingProcess } from "./process.ts";
import { identityFor } from "./runtime/identity.ts";
import { ModelSet } from "./runtime/model-set.ts";
import { Recycler } from "./runtime/recycler.ts";
import { noteRecycling } from "./runtime/recyclings.ts";
import { serveRuntime } from "./runtime/server.ts";
import { registerRuntime } from "./workers/own-runtime.ts";

/** A model runtime, one of a group's replicas: loads the group's models, which must answer their golden rows, and computes for frontends and workers. */
await runServingProcess("slipway-runtime", async (config, log, stop) => {
  const limits = limitsOf(config);
  const { group, replica } = placeOf(process.argv[2] ?? "default-0", config);
  const { threads, device, deviceIds } = group;
  const deviceId = deviceIds[replica % deviceIds.length] ?? 0;
  const models = new ModelSet({
    load: ({ name, digest }) =>
      loadPackage(modelFolder(config.modelsDir, digest), {
        threads,
        device,
        deviceId,
        limits: modelSettingsOf(config, name)?.function ?? {},
        onLine: (line) => log.info({ model: name, line }, "a function prints"),
      }),
    limits: (model) => modelLimitsOf(config, model),
    log,
  });
  const serve = (versions: LoadedVersion[]) =>
    models.sync(versions.filter(({ name }) => servesModel(config, group, name)));
  const sync = async () => serve(loadedVersions(await readRegistry(config.modelsDir)));
  const { failed } = await serve(versionsAtStart(await readRegistry(config.modelsDir), `${group.name}-${replica}`));
  const { engine } = models;
  if (engine === undefined) {
    const [first] = failed;
    throw new SlipwayError(first?.code ?? "E_MODEL_UNKNOWN", first?.message ?? "the registry names no model to serve");
  }
  for (const failure of failed) log.error(failure, "model cannot be loaded");
  const tcp = await portOf(group, replica);
  const recycler = recyclerOf(config, group, replica, stop, log);
  const { batchRows } = limits;
  const worker = runtimeId(config, group.name, replica);
  const durable = await serveDurably(models, (model) => servesModel(config, group, model), config, worker, log);
  let registered: Awaited<ReturnType<typeof registerRuntime>>;
  const server = await serveRuntime({
    socket: runtimeSocket(config, group.name, replica),
    ...(tcp && { tcp }),
    hello: {
      id: randomUUID(),
      worker,
      group: group.name,
      onnxruntime: engine.runtimeVersion,
      provider: engine.provider,
      ...(engine.note !== undefined && { providerNote: engine.note }),
      batchRows,
    },
    models,
    sync: async () => {
      const result = await sync();
      for (const failure of result.failed) log.error(failure, "model cannot be loaded");
      log.info({ models: models.models.map(({ model }) => model) }, "models exchanged");
      registered?.renew();
      return result;
    },
    ...(durable && { answering: durable.answering }),
    onAnswer: () => recycler?.count(),
    log,
  });
  registered = tcp && (await registerRuntime({ config, group, replica, tcp, models, engine, batchRows, log }));
  durable?.start();
  log.info({ models: models.models.map(({ model }) => model), provider: engine.provider, note: engine.note }, "ready");
  return {
    close: async () => {
      recycler?.close();
      // first: nobody is to come any more
      await registered?.close();
      const answered = server.close();
      await Promise.all([durable?.close(answered), answered]);
    },
  };
});

/** Where a replica listens on the network. Throws SlipwayError E_CONFIG_INVALID. */
async function portOf({ tcp }: RuntimeGroup, replica: number) {
  if (tcp === undefined) return undefined;
  const tls = await identityFor(tcp.host, tcp.tls, "runtimes.tcp");
  return { host: tcp.host, port: tcp.port + replica, ...(tls && { tls }) };
}

/** What has the process replaced in time, where the group wants that and is more than one. */
function recyclerOf(
  config: ServingConfig,
  { name, replicas, recycle }: RuntimeGroup,
  replica: number,
  stop: (reason: string) => void,
  log: Logger,
): Recycler | undefined {
  if (recycle === undefined) return undefined;
  const siblings = [...Array(replicas).keys()].filter((other) => other !== replica);
  if (siblings.length === 0) log.warn({ group: name }, "a runtime without others of its group is never recycled");
  return new Recycler({
    limits: recycle,
    siblings: siblings.map((other) => runtimeSocket(config, name, other)),
    lockFile: join(config.runtimeDir, `${name}.recycle`),
    note: () =>
      noteRecycling(config.runtimeDir, `${name}-${replica}`).catch((error: unknown) =>
        log.warn({ err: error }, "the host's agent will take this for a death"),
      ),
    stop,
    log,
  });
}

/** Which of the configured runtimes this one is: `<group>-<replica>`. */
function placeOf(place: string, { runtimes }: ServingConfig): { group: RuntimeGroup; replica: number } {
  const [, name, number] = /^(.+)-(\d+)$/.exec(place) ?? [];
  const group = runtimes.find((one) => one.name === name);
  const replica = Number(number);
  if (group === undefined || !(replica < group.replicas)) throw new Error(`no runtime ${place} is configured`);
  return { group, replica };
}
