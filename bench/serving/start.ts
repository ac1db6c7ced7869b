import { connect } from "node:http2";
import { buffer } from "node:stream/consumers";
import { waitFor } from "../../src/common/wait.ts";
import { startProcess, type TestProcess } from "../../test/serving/support.ts";
import type { Question } from "./load-report.ts";

const START_MS = 120_000;
const ANSWER_MS = 30_000;

/**
 * Starts a server in a namespace of process ids: ending it ends all that it started, also what left its family, and it ends with this
 * process, even a killed one. Needs root.
 */
export function startServer(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
  cwd?: string,
): TestProcess {
  const inFolder = cwd === undefined ? [] : [`--wd=${cwd}`];
  // CUDA finds itself in /proc and does not start where that shows another namespace
  const namespace = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child=KILL", ...inFolder];
  return startProcess("setpriv", ["--pdeathsig", "KILL", ...namespace, "--", command, ...args], env);
}

/** Asks once. */
export async function ask(question: Question): Promise<{ status: number; body: Buffer }> {
  if (question.protocol === "h2") return askByHttp2(question);
  const { url, method, headers, body } = question;
  const answer = await fetch(url, {
    method,
    headers,
    ...(method === "POST" && { body }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
}

async function askByHttp2({ url, method, headers, body }: Question): Promise<{ status: number; body: Buffer }> {
  const { origin, pathname } = new URL(url);
  const session = connect(origin).on("error", () => undefined); // the stream ends with it
  try {
    const stream = session.request({ ":method": method, ":path": pathname, ...headers });
    stream.setTimeout(ANSWER_MS, () => stream.close());
    let status = 0;
    stream.on("response", (answer) => (status = answer[":status"] ?? 0));
    stream.end(body);
    return { body: await buffer(stream), status };
  } finally {
    session.close();
  }
}

/** Waits until servers that were started answer the question. Throws with what they printed when one ends or none comes up. */
export async function untilAnswered(question: Question, ...servers: TestProcess[]): Promise<void> {
  let ended = false;
  for (const server of servers) void server.ended.then(() => (ended = true));
  const looked = async () => {
    if (ended) throw new Error("it ended");
    return (await ask(question).catch(() => undefined))?.status === 200 || undefined;
  };
  try {
    await waitFor(`an answer at ${question.url}`, looked, { timeoutMs: START_MS, intervalMs: 200 });
  } catch (cause) {
    const said = servers.map((server) => server.output().slice(-2000)).join("\n");
    throw new Error(`no answer at ${question.url}: ${said}`, { cause });
  }
}

/** Ends servers and all that they started. */
export function endAll(...servers: TestProcess[]): Promise<unknown> {
  return Promise.all(servers.map((server) => server.end("SIGKILL")));
}
