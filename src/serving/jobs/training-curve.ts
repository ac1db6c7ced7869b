import { type Epoch, epochOf } from "./epoch-lines.ts";
import type { JobQueue } from "./queue.ts";

interface Known {
  /** Lines of the log that have been read. */
  lines: number;
  epochs: Epoch[];
}

const PIECE = 1000;
/** Trainings whose epochs are remembered. */
const MOST_TRAININGS = 16;

/** The epochs of a training so far, from its log. What was read once is remembered: looking every second reads what is new. */
export function trainingCurves(jobs: Pick<JobQueue, "log">): (id: string) => Promise<readonly Epoch[]> {
  const known = new Map<string, Promise<Known>>();

  async function readOn(id: string, before: Known): Promise<Known> {
    const { lines, total } = await jobs.log(id, before.lines, PIECE);
    // a log that is shorter than it was is another one: the training was begun anew
    if (total < before.lines) return readOn(id, { lines: 0, epochs: [] });
    const epochs = [...before.epochs];
    for (const line of lines) {
      const epoch = epochOf(line);
      if (!epoch) continue;
      // an attempt after one that was lost begins anew
      while (epochs.length > 0 && (epochs.at(-1) as Epoch).epoch >= epoch.epoch) epochs.pop();
      epochs.push(epoch);
    }
    const now = { lines: before.lines + lines.length, epochs };
    return lines.length === PIECE ? readOn(id, now) : now;
  }

  return async (id) => {
    const before = known.get(id) ?? Promise.resolve({ lines: 0, epochs: [] });
    // one after the other, so that no line is read twice
    const reading = before.then((read) => readOn(id, read));
    known.delete(id);
    known.set(id, reading);
    reading.catch(() => known.delete(id));
    const [oldest] = known.keys();
    if (known.size > MOST_TRAININGS && oldest !== undefined) known.delete(oldest);
    return (await reading).epochs;
  };
}

/** At most so many of a curve's points, evenly chosen; the first and the last are among them. */
export function thinned<T>(points: readonly T[], most: number): T[] {
  if (points.length <= most) return [...points];
  return Array.from({ length: most }, (_, at) => points[Math.round((at * (points.length - 1)) / (most - 1))] as T);
}
