import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../common/errors.ts";
import type { CallMessage, ThreadData, ThreadMessage } from "./contract.ts";
import type { FunctionForm } from "./form.ts";
import { describeModule, type FunctionModule, loadModule } from "./module.ts";
import { positionalArguments } from "./parameters.ts";
import { type Check, checkOf } from "./validation.ts";

/** What a caller's mistake comes to; anything else that is thrown is the function's. */
class Rejection extends Error {}

/**
 * The thread that a function model runs in: loads the module, says so, and answers calls until it is ended from outside. It is on its
 * own so that a function that blocks, or takes all memory, can be stopped.
 */
export async function serveFunction(): Promise<void> {
  const port = parentPort as MessagePort;
  const data = workerData as ThreadData;
  const say = (message: ThreadMessage) => port.postMessage(message);
  let module: FunctionModule;
  let form: FunctionForm;
  let answer: (text: string) => Promise<string>;
  try {
    module = await loadModule(data.file);
    const description = data.form ?? (await describeModule(module, data.original ?? data.file));
    form = "form" in description ? description.form : description;
    answer = answering(module, form);
    // as text: what a module exports need not be what can be sent
    say({ kind: "ready", description: JSON.stringify(description) });
  } catch (error) {
    say({ kind: "unusable", reason: messageOf(error) });
    return;
  }
  const begun = new Int32Array(data.begun);
  port.on("message", async ({ id, calls }: CallMessage) => {
    Atomics.add(begun, 0, 1);
    try {
      const results: string[] = [];
      for (const call of calls) results.push(await answer(call));
      say({ kind: "results", id, results, bytesBeside: bytesBeside() });
    } catch (error) {
      const kind = isRejection(error) ? "rejected" : "failed";
      const reason = kind === "failed" && error instanceof Error ? `${error.name}: ${error.message}` : messageOf(error);
      say({ kind, id, reason, bytesBeside: bytesBeside() });
    }
  });
}

/** What the heap's own limit does not count. */
function bytesBeside(): number {
  return process.memoryUsage().arrayBuffers;
}

function answering({ call }: FunctionModule, { parameters, schema }: FunctionForm): (text: string) => Promise<string> {
  const checkArguments: Check = checkOf(schema.arguments, "arguments");
  const checkResult: Check = checkOf(schema.result, "result");
  return async (text) => {
    let given: unknown;
    try {
      given = JSON.parse(text);
    } catch (cause) {
      throw new Rejection(`the arguments are not JSON: ${messageOf(cause)}`);
    }
    reject(checkArguments(given));
    const positions = parameters === undefined ? [given] : positionalArguments(parameters, given);
    if (typeof positions === "string") throw new Rejection(positions);
    const result = (await call(...positions)) ?? null;
    const json = JSON.stringify(result) as string | undefined;
    if (json === undefined) throw new Error(`the result is a ${typeof result}, which JSON has not`);
    const misfit = schema.result === undefined ? undefined : checkResult(JSON.parse(json));
    if (misfit !== undefined) throw new Error(`the function answers what its schema does not allow: ${misfit}`);
    return json;
  };
}

function reject(reason: string | undefined): void {
  if (reason !== undefined) throw new Rejection(reason);
}

/** Whether the function itself says that the caller is wrong: by an HTTP status, or by the error's name. */
function isRejection(error: unknown): boolean {
  if (error instanceof Rejection) return true;
  const {
    name,
    status,
    statusCode = status,
  } = (error ?? {}) as { name?: unknown; status?: unknown; statusCode?: unknown };
  return name === "RejectedInputError" || (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500);
}
