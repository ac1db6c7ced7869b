import { setTimeout as sleep } from "node:timers/promises";

/** What a figure is: Prometheus' kinds. */
type MetricKind = "counter" | "gauge" | "histogram";

/** A figure with its labels' names. */
export interface Family {
  /** As Prometheus names it: with the unit, counters with `_total`. */
  name: string;
  help: string;
  kind: MetricKind;
  labels: string[];
  /** A histogram's upper bounds, ascending, without +Inf. */
  buckets?: number[];
  /** How the values of several processes become one; added up unless told otherwise. */
  combine?: "sum" | "max";
  /** A counter that goes on where it was after a restart. */
  lasting?: boolean;
}

/** One figure's value for one choice of labels. A histogram: how many fell into each bucket and above the last, then their sum. */
export interface Cell {
  labels: string[];
  value: number | number[];
}

/** Figures of one family: what came in since the last look for counters and histograms, what is now for gauges. */
export interface Reading {
  family: Family;
  cells: Cell[];
}

/** The figures of one family by its name; none where it was not read. */
export function cellsIn(readings: readonly Reading[], name: string): readonly Cell[] {
  return readings.find(({ family }) => family.name === name)?.cells ?? [];
}

/** A counter for one choice of labels. */
export interface Counter {
  add(count: number): void;
}

/** A histogram for one choice of labels. */
export interface Histogram {
  observe(value: number): void;
}

/** What reads a gauge: its value for each choice of labels. One that fails or takes longer than half a second has none. */
type Gauge = () => readonly Cell[] | Promise<readonly Cell[]>;

const GAUGE_MS = 500;

/** Makes the counter or histogram of one choice of labels; the same one for the same labels. */
type Labelled<T> = (...labels: string[]) => T;

/** Choices of labels that a family keeps apart; what comes above is counted under one name, so that no caller can fill the memory. */
const MAX_CELLS = 2000;
const OTHERS = "others";

/** What was counted since the last look: in an array of its own, since a number that is no integer is a new object wherever else it lies. */
interface Counted {
  readonly numbers: Float64Array;
  changed: boolean;
}

/** Collects a process's figures until they are taken. */
export class Meter {
  readonly #taken: (() => Reading)[] = [];
  readonly #gauges: { family: Family; read: Gauge }[] = [];

  counter(family: Omit<Family, "kind" | "buckets">): Labelled<Counter> {
    return this.#cells<Counter>(
      { ...family, kind: "counter" },
      1,
      ([value = 0]) => value,
      (cell) => ({
        add: (count) => {
          (cell.numbers[0] as number) += count;
          cell.changed = true;
        },
      }),
    );
  }

  histogram(family: Omit<Family, "kind"> & { buckets: number[] }): Labelled<Histogram> {
    const { buckets } = family;
    const sum = buckets.length + 1;
    return this.#cells<Histogram>(
      { ...family, kind: "histogram" },
      buckets.length + 2,
      (numbers) => [...numbers],
      (cell) => ({
        observe: (value) => {
          let bucket = 0;
          while (bucket < buckets.length && value > (buckets[bucket] as number)) bucket++;
          (cell.numbers[bucket] as number)++;
          (cell.numbers[sum] as number) += value;
          cell.changed = true;
        },
      }),
    );
  }

  /** A figure that is read when it is asked for. */
  gauge(family: Omit<Family, "kind" | "buckets" | "lasting">, read: Gauge): void {
    this.#gauges.push({ family: { ...family, kind: "gauge" }, read });
  }

  /** What was counted since this was last asked. */
  takeCounts(): Reading[] {
    return this.#taken.map((take) => take()).filter(({ cells }) => cells.length > 0);
  }

  readGauges(): Promise<Reading[]> {
    return Promise.all(this.#gauges.map(async ({ family, read }) => ({ family, cells: await readInTime(read) })));
  }

  #cells<T>(
    family: Family,
    length: number,
    told: (numbers: Float64Array) => Cell["value"],
    use: (cell: Counted) => T,
  ): Labelled<T> {
    const cells = new Map<string, Counted & { labels: string[]; used: T }>();
    this.#taken.push(() => {
      const changed = [...cells.values()].filter((cell) => cell.changed);
      const taken = changed.map(({ labels, numbers }) => ({ labels, value: told(numbers) }));
      for (const cell of changed) {
        cell.numbers.fill(0);
        cell.changed = false;
      }
      return { family, cells: taken };
    });
    const find = (...labels: string[]): T => {
      const key = labels.join("\0");
      let cell = cells.get(key);
      if (!cell) {
        if (cells.size >= MAX_CELLS && labels[0] !== OTHERS) return find(...labels.map(() => OTHERS));
        const fresh = { labels, numbers: new Float64Array(length), changed: false };
        cell = Object.assign(fresh, { used: use(fresh) });
        cells.set(key, cell);
      }
      return cell.used;
    };
    return find;
  }
}

async function readInTime(read: Gauge): Promise<Cell[]> {
  const stop = new AbortController();
  try {
    const late = sleep(GAUGE_MS, [] as Cell[], { signal: stop.signal, ref: false });
    return [...(await Promise.race([read(), late]))];
  } catch {
    return [];
  } finally {
    stop.abort();
  }
}
