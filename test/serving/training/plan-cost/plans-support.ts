import { Random } from "../../../../src/serving/training/mlp/random.ts";

/** Operators of made-up plans: what they cost for a row, and how many children they have. */
const operators = [
  { children: 0, perRow: 2 }, // scan
  { children: 0, perRow: 5 }, // index scan
  { children: 1, perRow: 8 }, // sort
  { children: 1, perRow: 3 }, // aggregate
  { children: 2, perRow: 6 }, // join
] as const;

/** Numbers of an encoding: the operator, one-hot, the size of the table by its logarithm, and noise. */
export const ENCODING = operators.length + 3;

/**
 * Plans whose costs follow from their trees: rows from the scans' tables, times from the rows of all below, memory from the rows, with
 * a tenth of noise. As openGauss writes them.
 */
export function madeUpPlans(queries: number, seed: number): string {
  const random = Random.of(seed, "split");
  const lines: string[] = [];
  for (let query = 1; query <= queries; query++) {
    let next = 1;
    const build = (parent: number, depth: number): { rows: number; time: number } => {
      const id = next++;
      const kinds = depth >= 4 ? [0, 1] : depth === 0 ? [2, 3, 4] : [0, 1, 2, 3, 4];
      const kind = kinds[random.below(kinds.length)] as number;
      const { children, perRow } = operators[kind] as (typeof operators)[number];
      const at = lines.push("") - 1;
      const below = Array.from({ length: children }, () => build(id, depth + 1));
      const size = 2 + 3 * random.uniform();
      const noise = () => 0.9 + 0.2 * random.uniform();
      const taken = below.reduce((sum, { rows }) => sum + rows, 0);
      const rows = children === 0 ? 10 ** size * (kind === 1 ? 0.1 : 1) : kind === 3 ? taken / 20 : taken;
      const before = below.reduce((sum, { time }) => sum + time, 0);
      const time = before + ((children === 0 ? 10 ** size : taken) * perRow) / 100;
      const code = [
        ...operators.map((_, other) => (other === kind ? 1 : 0)),
        children === 0 ? size : 0,
        random.uniform(),
        1,
      ];
      const costs = [before, time, rows, rows / 10 + 16].map((cost) => Math.round(cost * noise()));
      lines[at] = [query, id, parent, code.map((value) => value.toFixed(4)).join(" "), ...costs].join(", ");
      return { rows, time };
    };
    build(0, 0);
  }
  return `${lines.join("\n")}\n`;
}
