import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../common/errors.ts";
import { undone } from "../common/undo.ts";
import type { Generations } from "../components/generations.ts";
import { awaitEndpoint, checkEndpoint, type EndpointReport, type Expectation } from "../health/check-endpoint.ts";
import { checkGrpc } from "../health/check-grpc.ts";
import { withLive, writeGenerations } from "../release/generations.ts";
import { findOwnToken } from "../release/tokens.ts";
import { attachAddress } from "./public-address.ts";
import { endpointUrl, grpcAddress, requireGeneration, type StackOutputs } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** A host that has passed its gate answers at its new address within this; its clients wait as long. */
const ANSWER_MS = 10_000;
const WATCH_PAUSE_MS = 500;
const WATCH_ASK_MS = 3000;
/** So many questions in a row without the right answer are a failure: one may get lost on its way. */
const WATCH_MISSES = 2;
/** Within which the address must lead to the old hosts again. */
const GO_BACK_MS = 60_000;

/** What a switch needs to know besides the hosts. */
export interface Switching {
  expectation: Expectation;
  /** How long the new hosts are asked again and again once they have the address. */
  watchSeconds: number;
  signal: AbortSignal;
}

/** What serves after a switch. */
export interface Switched {
  /** With the address that leads to them. */
  outputs: StackOutputs;
  report: EndpointReport;
}

/**
 * Makes the stack's address lead to another generation of its hosts, by one call of the cloud, and remembers that it does. The endpoint is asked
 * from outside, and for some time again and again; where it does not serve what it should, the address goes back at once.
 * @throws SlipwayError E_GATE_FAILED for hosts that do not serve; E_FLOATING_IP, E_TIMEOUT; the address leads where it led before
 */
export async function switchGeneration(
  workspace: Workspace,
  reporter: Reporter,
  { record, outputs, to }: { record: Generations; outputs: StackOutputs; to: number },
  { expectation, watchSeconds, signal }: Switching,
): Promise<Switched> {
  const old = requireGeneration(outputs, record.live);
  const made = requireGeneration(outputs, to);
  const token = await findOwnToken(workspace.stackHome);
  const attached = await reporter.phase(
    "attach",
    `floating IP ${outputs.floatingIp} to ${made.serverName}`,
    ({ note }) => attachAddress(workspace, made, { signal, note }),
  );
  const url = endpointUrl(attached.outputs);
  const ask = { token, generation: made.generation };
  try {
    const report = await reporter.phase("check", `prediction through ${url}`, async () => {
      const answered = await awaitEndpoint(url, expectation, { ...ask, timeoutMs: ANSWER_MS, signal });
      const grpc = grpcAddress(attached.outputs);
      if (grpc !== undefined) await checkGrpc(grpc, ANSWER_MS);
      return answered;
    });
    await reporter.phase("watch", `${made.serverName} watched for ${watchSeconds} s`, () =>
      watch(() => checkEndpoint(url, expectation, { ...ask, timeoutMs: WATCH_ASK_MS }), watchSeconds * 1000, signal),
    );
    await writeGenerations(workspace.stackHome, withLive(record, to));
    return { outputs: attached.outputs, report };
  } catch (error) {
    // an interrupted run leaves nobody who watches behind, so it goes back as well
    const goBack = async () => {
      const signal = AbortSignal.timeout(GO_BACK_MS);
      await attachAddress(workspace, old, { signal, note: (line) => reporter.note(line) });
      reporter.note(`the address leads to ${old.serverName} again`);
    };
    throw await undone(judged(error, old, made), goBack, "the address could not be given back");
  }
}

/** Asks until the time is over. @throws what the last of too many failures in a row was */
async function watch(ask: () => Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + ms;
  let misses = 0;
  while (performance.now() < end) {
    try {
      await ask();
      misses = 0;
    } catch (error) {
      misses += 1;
      if (misses >= WATCH_MISSES) throw error;
    }
    await sleep(WATCH_PAUSE_MS, undefined, { signal });
  }
}

function judged(error: unknown, old: StackOutputs, made: StackOutputs): unknown {
  if (!(error instanceof SlipwayError) || error.code !== "E_UNHEALTHY") return error;
  return new SlipwayError("E_GATE_FAILED", `${made.serverName} got the address and does not serve: ${error.message}`, {
    cause: error,
    details: error.details,
    hint: `Mend the cause and run \`slipway up\` again, or take the change back: ${old.serverName} has the address again.`,
  });
}
