import type { Cell, Family, Reading } from "./meter.ts";

interface FamilyTotals {
  family: Family;
  cells: Map<string, Cell>;
}

/** What the processes of a frontend counted, added up: also of those that have ended. */
export class Totals {
  readonly #families = new Map<string, FamilyTotals>();
  #beside: readonly Reading[] = [];

  /** Adds what a process counted since it last told. */
  absorb(readings: readonly Reading[]): void {
    for (const { family, cells } of readings) {
      const totals = this.#families.get(family.name) ?? { family, cells: new Map<string, Cell>() };
      this.#families.set(family.name, totals);
      for (const cell of cells) {
        const key = cell.labels.join("\0");
        const known = totals.cells.get(key);
        const value = known ? joined(family, known.value, cell.value) : cell.value;
        totals.cells.set(key, { labels: cell.labels, value });
      }
    }
  }

  /** From now on these are told with what was counted here: another frontend of the host counted them, and keeps them. */
  tellBeside(readings: readonly Reading[]): void {
    this.#beside = readings;
  }

  readings(): Reading[] {
    return this.#beside.length === 0 ? this.#own() : together([...this.#own(), ...this.#beside]);
  }

  /** Those that were counted here and that a restart does not set back. */
  lasting(): Reading[] {
    return this.#own().filter(({ family }) => family.lasting);
  }

  #own(): Reading[] {
    return [...this.#families.values()].map(({ family, cells }) => ({ family, cells: [...cells.values()] }));
  }
}

/** Readings of several processes as one: cells with the same labels are added up. */
export function together(readings: readonly Reading[]): Reading[] {
  const totals = new Totals();
  totals.absorb(readings);
  return totals.readings();
}

function joined({ combine }: Family, one: number | number[], other: number | number[]): number | number[] {
  if (typeof other === "number") return combine === "max" ? Math.max(one as number, other) : (one as number) + other;
  return other.map((value, at) => value + ((one as number[])[at] ?? 0));
}
