import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { limitsOf } from "../../../src/serving/config.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import type { JobQueue } from "../../../src/serving/jobs/queue.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import type { Hello } from "../../../src/serving/runtime/hello.ts";
import { exampleModel, type Host, installModel, prepareHost } from "../support.ts";

export const model = await importModel(exampleModel("production"));
export const onnx = await openOnnxModel(model.onnx);
export const row = model.golden.rows[0] as number[];

export const asJson = { accept: "application/json" };
export const asPage = { accept: "text/html,application/xhtml+xml" };

/** A frontend's surroundings, with the example model in the test's own process in place of a runtime. */
export interface Surroundings {
  host: Host;
  hello: Hello;
  contextWith(runtime: Partial<FrontendContext["runtime"]>, jobs?: JobQueue): FrontendContext;
  remove(): Promise<void>;
}

export async function prepareSurroundings(): Promise<Surroundings> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-frontend-"));
  const host = await prepareHost(folder);
  const hello = {
    model: await installModel(host.modelsDir, model),
    card: model.card,
    onnxruntime: onnx.runtimeVersion,
  };
  return {
    host,
    hello,
    contextWith: (runtime, jobs) => ({
      config: host.config,
      limits: limitsOf({ limits: { requestRows: 3, jobRows: 5 } }),
      runtime: {
        hello,
        lastHello: hello,
        predict: async (values, rows) => ({ outputs: await onnx.run(values, rows), hello }),
        ...runtime,
      },
      jobs,
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
