import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { CANARY_HEADER } from "../../canary-header.ts";
import { decide, type Prediction, type RowForm } from "../../models/card.ts";
import { RuntimeError, type Terms, type TrialChoice } from "../../routing/question.ts";
import { predictRows, type RowModel } from "../../routing/rows.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError, httpErrorOf } from "../errors.ts";
import { trialChoiceOf } from "../trials/choice.ts";
import { MODEL_HEADER, modelText } from "./model-header.ts";
import type { Rows } from "./rows.ts";

/** Chunks that are computed at a time, so that the runtime does not wait for the table. */
const AHEAD = 3;
/** Of an answer that the caller has not read yet; with more, nothing further is computed. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
const OVERLOAD_PAUSE_MS = 50;

/** How predictions are written, line by line. */
interface LineFormat {
  type: string;
  /** Before the first line. */
  head: (output: RowForm["output"]) => string;
  line: (prediction: Prediction) => string;
  /** The last line of an answer that ends early. */
  failure: (error: HttpError, requestId: string) => string;
}

const csv: LineFormat = {
  type: "text/csv; charset=utf-8; header=present",
  head: (output) =>
    output.kind === "values"
      ? `${Array.from({ length: output.width }, (_, at) => `value_${at + 1}`).join(",")}\n`
      : "probability,class\n",
  line: (one) => ("class" in one ? `${one.probability},${one.class}\n` : `${one.values.join(",")}\n`),
  failure: ({ code, message }, requestId) =>
    `# error ${code} (request ${requestId}): ${message.replace(/\s+/g, " ")}\n`,
};

const ndjson: LineFormat = {
  type: "application/x-ndjson; charset=utf-8",
  head: () => "",
  line: (one) => `${JSON.stringify(one)}\n`,
  failure: ({ code, message }, requestId) => `${JSON.stringify({ error: { code, message, requestId } })}\n`,
};

/** What the caller wants to read. Throws HttpError 406. */
function lineFormatOf({ headers: { accept = "*/*" } }: FastifyRequest): LineFormat {
  if (/application\/(x-ndjson|jsonl|\*)/i.test(accept)) return ndjson;
  if (/text\/(csv|\*)|\*\/\*/i.test(accept)) return csv;
  throw new HttpError(406, "NOT_ACCEPTABLE", "a table is answered as text/csv or application/x-ndjson");
}

/**
 * Answers a table with its predictions, line by line, as they are computed. What is wrong with the first rows is answered like every other
 * error. What goes wrong later cannot be: the answer then ends with a line that says it, and the connection is cut, so that no caller takes
 * it for whole. A caller that goes away ends the computation.
 */
export async function answerTable(
  context: FrontendContext,
  request: FastifyRequest,
  reply: FastifyReply,
  model: RowModel,
  chunks: AsyncGenerator<Rows>,
  timeoutMs: number,
): Promise<FastifyReply> {
  const format = lineFormatOf(request);
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const trial = trialChoiceOf(request.headers[CANARY_HEADER]);
  const answers = predictionsOf(context, { model, trial }, chunks, gone.signal, timeoutMs);
  const first = await answers.next().catch((error: unknown) => {
    reply.header("connection", "close"); // the rest of the table is of no interest
    throw error;
  });
  reply.hijack();
  const { raw } = reply;
  const { served } = first.value ?? { served: model };
  raw.writeHead(200, { ...headersOf(reply), "content-type": format.type, [MODEL_HEADER]: modelText(served.model) });
  try {
    const { output } = served.card.rows;
    raw.write(format.head(output));
    for (let next = first; !next.done; next = await answers.next()) {
      raw.write(next.value.predictions.map(format.line).join(""));
      await untilRead(raw, timeoutMs);
    }
    raw.end();
  } catch (error) {
    const failure = httpErrorOf(error as Error);
    if (!gone.signal.aborted) {
      request.server.log.warn(
        { reqId: request.id, code: failure.code },
        `a table's answer ends early: ${failure.message}`,
      );
      await new Promise((resolve) => raw.write(format.failure(failure, request.id), resolve));
    }
    raw.destroy();
  } finally {
    await answers.return(undefined);
  }
  return reply;
}

/** Some of a table's predictions, and what made them. */
interface TablePart {
  served: RowModel;
  predictions: Prediction[];
}

/**
 * The predictions of a table's chunks, in order; some are computed ahead. All of them by the model that answers the first chunk: whether that
 * is the version on trial is decided once for a table.
 */
async function* predictionsOf(
  { router }: FrontendContext,
  { model, trial }: { model: RowModel; trial: TrialChoice },
  chunks: AsyncGenerator<Rows>,
  signal: AbortSignal,
  timeoutMs: number,
): AsyncGenerator<TablePart> {
  let first: Promise<TablePart> | undefined;
  const ask = async (asked: RowModel, { values, rows }: Rows, terms?: Terms): Promise<TablePart> => {
    const answer = () => predictRows(router, asked, values, rows, terms);
    const { outputs, served } = await patiently(answer, signal, timeoutMs);
    return { served, predictions: decide(served.card.rows.output, outputs) };
  };
  const compute = async (chunk: Rows): Promise<TablePart> => {
    if (first === undefined) {
      first = ask(model, chunk, { trial });
      return first;
    }
    const { served } = await first;
    const part = await ask(served, chunk);
    if (part.served.model.digest === served.model.digest) return part;
    throw new HttpError(503, "MODEL_CHANGED", "the model was exchanged under way", 1);
  };
  const under: Promise<TablePart>[] = [];
  try {
    for (;;) {
      const chunk = signal.aborted ? undefined : await chunks.next();
      if (!chunk || chunk.done) break;
      const computing = compute(chunk.value);
      computing.catch(() => undefined); // told when it is its turn
      under.push(computing);
      if (under.length >= AHEAD) yield await (under.shift() as Promise<TablePart>);
    }
    while (under.length > 0 && !signal.aborted) yield await (under.shift() as Promise<TablePart>);
  } finally {
    await chunks.return(undefined);
  }
}

/** Waits for a host that is busy with other requests: a table has time. */
async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal, timeoutMs: number): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isBusy = error instanceof RuntimeError && error.reason === "overloaded";
      if (!isBusy || signal.aborted || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, OVERLOAD_PAUSE_MS));
    }
  }
}

/** Waits while the caller has much to read. Throws HttpError 408 where it reads nothing for too long. */
async function untilRead(raw: ServerResponse, timeoutMs: number): Promise<void> {
  if (raw.writableLength < MAX_UNREAD_BYTES || raw.destroyed) return;
  const drained = await new Promise<boolean>((resolve) => {
    const settle = (value: boolean) => {
      clearTimeout(timer);
      raw.off("drain", read).off("close", read);
      resolve(value);
    };
    const read = () => settle(true);
    const timer = setTimeout(() => settle(false), timeoutMs);
    raw.on("drain", read).on("close", read);
  });
  if (!drained) throw new HttpError(408, "REQUEST_TIMEOUT", `the answer was not read for ${timeoutMs / 1000} s`);
}

function headersOf(reply: FastifyReply): Record<string, string | string[]> {
  const headers = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
  return Object.fromEntries(headers.map(([name, value]) => [name, Array.isArray(value) ? value : String(value)]));
}
