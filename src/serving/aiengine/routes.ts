import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { messageOf } from "../../common/errors.ts";
import { fileOfForm } from "../frontend/pages/form-file.ts";
import { readRegistry } from "../models/registry-file.ts";
import { callerOf } from "./caller.ts";
import { readConfiguration, readName, readObject } from "./configuration.ts";
import { isForPlans } from "./plan-models.ts";
import type { PlanPredictions } from "./predictions.ts";
import { Refused, type Reply, reply } from "./reply.ts";
import { type SetUpSurroundings, setUpModel } from "./set-up.ts";
import type { AiEngineConfig } from "./settings.ts";
import type { Memory, Store } from "./store.ts";
import type { Trainings } from "./trainings.ts";

/** What the routes work with. */
export interface EngineParts extends SetUpSurroundings {
  settings: AiEngineConfig;
  store: Store;
  trainings: Trainings;
  predictions: PlanPredictions;
}

/** The engine's routes (docs/reference/aiengine.md). */
export function engineRoutes(app: FastifyInstance, parts: EngineParts): void {
  const { settings, store, trainings, predictions, modelsDir } = parts;
  /** What was asked for on a connection: two of one client do not disturb each other. */
  const connections = new WeakMap<object, Memory>();

  const remember = async (request: FastifyRequest, what: keyof Memory, name: string) => {
    const { socket } = request.raw;
    connections.set(socket, { ...connections.get(socket), [what]: name });
    await store.remember(clientOf(request), what, name);
  };
  const recall = async (request: FastifyRequest, what: keyof Memory) =>
    connections.get(request.raw.socket)?.[what] ?? store.recall(clientOf(request), what);

  app.removeAllContentTypeParsers();
  // a body's type says nothing: the engine reads JSON whatever it is called
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.addContentTypeParser("multipart/form-data", (_request, payload, done) => done(null, payload));

  const route = (paths: string[], answer: (request: FastifyRequest) => Promise<Reply>) => {
    for (const path of paths) {
      app.post(path, async (request, to) => {
        const { body, json, reason } = await answer(request).catch((error: unknown) => {
          if (error instanceof Refused) return reply(error.code, error.message);
          throw error;
        });
        if (reason !== undefined) to.header("slipway-reason", headerText(reason));
        // what is left of a form that was refused is not read
        if (reason !== undefined && !request.raw.complete) to.header("connection", "close");
        return to.type(json ? "application/json; charset=utf-8" : "text/plain; charset=utf-8").send(body);
      });
    }
  };

  route(["/check"], async () => reply("0"));

  route(["/configure"], async (request) => {
    const configuration = readConfiguration(bodyOf(request));
    if (!(await isForPlans(modelsDir, await readRegistry(modelsDir), configuration.name))) {
      throw new Refused("F", `${configuration.name} is a model of another kind`);
    }
    await store.configure(configuration);
    await remember(request, "configured", configuration.name);
    return reply("0");
  });

  route(["/train"], async (request) => {
    const name = await recall(request, "configured");
    const upload = await fileOf(request, settings.trainingBytes, (content) => store.keepUpload(content));
    try {
      const configuration = name === undefined ? undefined : await store.configuration(name);
      if (configuration === undefined) throw new Refused("M", "this client has configured no model");
      return { body: JSON.stringify(await trainings.train(configuration, upload.path)), json: true };
    } finally {
      await upload.remove();
    }
  });

  route(["/track_process"], async (request) => {
    const name = readName(readObject(bodyOf(request)), "modelName", "model_name");
    const log = await store.log(name);
    if (log === undefined) throw new Refused("F", `${name} has no log yet`);
    return { body: wantsContent(request) ? log : store.logPath(name) };
  });

  route(["/setup", "/model_setup"], async (request) => {
    const name = readName(readObject(bodyOf(request)), "model_name");
    await setUpModel(parts, name);
    await remember(request, "setUp", name);
    return reply("0");
  });

  route(["/predict"], async (request) => {
    const name = await recall(request, "setUp");
    const plans = await fileOf(request, settings.predictBytes, async (content) => {
      const pieces: Buffer[] = [];
      for await (const piece of content) pieces.push(piece as Buffer);
      return Buffer.concat(pieces).toString("utf8");
    });
    if (name === undefined) throw new Refused("S", "this client has set up no model");
    return { body: JSON.stringify(await predictions.predict(name, plans)), json: true };
  });
}

/** The identity of the client's certificate: whoever has none was turned away before. */
function clientOf({ raw }: FastifyRequest): string {
  const caller = callerOf(raw.socket as TLSSocket);
  if (caller === undefined) throw new Refused("F", "there is no client certificate");
  return caller.id;
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/**
 * What is made of the form's field `file`.
 * @throws Refused `M` where there is none, `F` for one that is too large or breaks off
 */
async function fileOf<T extends { remove?: () => Promise<void> } | string>(
  { body, headers }: FastifyRequest,
  bytes: number,
  take: (content: Readable) => Promise<T>,
): Promise<T> {
  if (!(body instanceof Readable)) throw new Refused("M", "the body is no form (multipart/form-data)");
  if (body.destroyed) throw new Refused("F", "the form ends early");
  const file: Readable & { truncated?: boolean } = await fileOfForm(headers, body, bytes, "file").catch(
    (cause: unknown) => {
      throw new Refused("M", messageOf(cause), { cause });
    },
  );
  const taken = await take(file).catch((cause: unknown) => {
    throw new Refused("F", `the file cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (!file.truncated) return taken;
  if (typeof taken !== "string") await taken.remove?.();
  throw new Refused("F", `the file is larger than ${bytes} bytes`);
}

/** Whether a caller asks for the log's text: on another host its path is of no use. */
function wantsContent({ headers, query }: FastifyRequest): boolean {
  return (query as { content?: unknown }).content === "1" || /\btext\/plain\b/.test(headers.accept ?? "");
}

/** A text that may be a header's value. */
export function headerText(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 500);
}
