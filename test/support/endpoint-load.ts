import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { askOnce, constantLoad, type LoadClients } from "./constant-load.ts";

const golden = join(import.meta.dirname, "../../models/diabetes/production/golden.json");
/** Every so many questions one is which hosts answer. */
const IDENTITY_EVERY = 10;

/** What clients of an endpoint have seen. */
export interface SeenByClients {
  /** All questions, those that failed among them. */
  asked: number;
  /** Errors, statuses other than 200, and predictions other than the golden ones. */
  failures: string[];
  /** Whose hosts answered, as in `g1`; sorted. */
  generations: string[];
}

/**
 * Clients that ask an endpoint all the time for what is known of the production model, and for whose hosts answer. No question is repeated.
 * @returns to be called when they are to stop
 */
export async function endpointLoad(url: string, clients: LoadClients): Promise<() => Promise<SeenByClients>> {
  const { rows, outputs, tolerance } = JSON.parse(await readFile(golden, "utf8")) as {
    rows: number[][];
    outputs: number[];
    tolerance: number;
  };
  const asked = constantLoad(async (agent, turn) => {
    if (turn % IDENTITY_EVERY === 0) {
      const { generation } = (await answerOf(askOnce(agent, `${url}/version`))) as { generation: string };
      return generation;
    }
    const at = turn % rows.length;
    const body = { rows: [rows[at]] };
    const { predictions } = (await answerOf(askOnce(agent, `${url}/v1/predict`, { body }))) as {
      predictions: { probability: number }[];
    };
    const error = Math.abs((predictions[0]?.probability ?? Number.NaN) - (outputs[at] ?? 0));
    if (!(error <= tolerance)) throw new Error(`row ${at}: ${JSON.stringify(predictions)}`);
    return undefined;
  }, clients);
  return async () => {
    await asked.stop();
    const { answers, failures } = asked;
    const generations = [...new Set(answers.flatMap((generation) => generation ?? []))].sort();
    return { asked: answers.length + failures.length, failures, generations };
  };
}

async function answerOf(asked: ReturnType<typeof askOnce>): Promise<unknown> {
  const { status, text } = await asked;
  if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`);
  return JSON.parse(text) as unknown;
}
