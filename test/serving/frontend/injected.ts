import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { limitsOf } from "../../../src/serving/config.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import type { JobQueue } from "../../../src/serving/jobs/queue.ts";
import type { RowCard } from "../../../src/serving/models/card.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import type { RowModel } from "../../../src/serving/routing/rows.ts";
import { noWorkers } from "../no-workers.ts";
import { exampleModel, goldenRows, type Host, installModel, prepareHost } from "../support.ts";

export const model = await importModel(exampleModel("production"));
const onnx = await openOnnxModel(model.onnx);
export const golden = goldenRows(model);
export const row = golden.rows[0] as number[];

export const asJson = { accept: "application/json" };
export const asPage = { accept: "text/html,application/xhtml+xml" };

/** A frontend's surroundings, with the example model in the test's own process in place of a runtime. */
export interface Surroundings {
  host: Host;
  served: RowModel;
  contextWith(router: Partial<FrontendContext["router"]>, jobs?: JobQueue): FrontendContext;
  remove(): Promise<void>;
}

export async function prepareSurroundings(): Promise<Surroundings> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-frontend-"));
  const host = await prepareHost(folder);
  const config = { ...host.config, limits: { requestRows: 3, jobRows: 5 } };
  const served: RowModel = {
    model: await installModel(host.modelsDir, model),
    card: model.card as RowCard,
    onnxruntime: onnx.runtimeVersion,
  };
  const find = (name?: string, version?: string) => {
    const { model } = served;
    return (name ?? model.name) === model.name && (version ?? model.version) === model.version ? served : undefined;
  };
  return {
    host,
    served,
    contextWith: (router, jobs) => ({
      config,
      limits: limitsOf(config),
      router: {
        find,
        findConnected: find,
        findLast: () => served,
        standInFor: () => undefined,
        trialBeside: () => undefined,
        models: [{ ...served, live: true, default: true }],
        runtimes: [
          { id: "test", group: "default", onnxruntime: onnx.runtimeVersion, provider: "cpu", batchRows: 1024, rows: 0 },
        ],
        predict: async (_served, inputs) => ({
          outputs: await onnx.run(inputs),
          served,
          timing: { batchRows: 1, queueMicros: 0, computeMicros: 0 },
        }),
        sync: async () => ({ failed: [] }),
        ...router,
      },
      jobs,
      workers: noWorkers(host.config),
    }),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** A frontend's answer to one request, without a socket. A body that is no text is sent as JSON. */
export async function injectInto(
  context: FrontendContext,
  method: "GET" | "POST",
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const app = buildFrontend(context, pino({ enabled: false }));
  const payload = body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) };
  const contentType = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await app.inject({ method, url, ...payload, headers: { ...contentType, ...headers } });
  await app.close();
  return answer;
}
