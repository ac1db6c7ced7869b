import { invalid } from "../errors.ts";

/** The labels of a plan's node by their letters, in the order that openGauss keeps. */
export const planLabels = ["S", "T", "R", "M"] as const;
export type PlanLabel = (typeof planLabels)[number];

/** A node of a query's plan: a line of the CSV file. */
export interface PlanNode {
  queryId: string;
  nodeId: number;
  /** 0 for the plan's root. */
  parentId: number;
  /** The kernel's encoding of the operator. */
  encoding: Float64Array;
  /** Startup time, total time, rows and peak memory as they were measured; −1 where a prediction is asked for. */
  costs: Record<PlanLabel, number>;
}

/** What one file may hold. */
export const planBounds = { nodes: 500_000, encoding: 4096, cells: 20_000_000 };

const COLUMNS = 8;

/**
 * Reads plans as openGauss sends them: no header, a node a line, `query_id, plan_node_id, parent_node_id, enc, startup_time, total_time,
 * actual_rows, peak_mem`, `enc` being numbers between spaces, the same count in every line.
 * @throws SlipwayError E_TRAINING_INVALID naming the line
 */
export function parsePlans(text: string): PlanNode[] {
  const nodes: PlanNode[] = [];
  let cells = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const node = readNode(line, (reason) => invalid(`line ${index + 1} of the plans ${reason}`));
    const first = nodes[0] ?? node;
    if (node.encoding.length !== first.encoding.length) {
      throw invalid(
        `line ${index + 1} of the plans has an encoding of ${node.encoding.length} numbers, the first has ${first.encoding.length}`,
      );
    }
    cells += node.encoding.length;
    if (nodes.push(node) > planBounds.nodes) throw invalid(`the plans have more than ${planBounds.nodes} nodes`);
    if (cells > planBounds.cells) throw invalid(`the plans' encodings have more than ${planBounds.cells} numbers`);
  }
  if (nodes.length === 0) throw invalid("the file holds no plan");
  return nodes;
}

function readNode(line: string, wrong: (reason: string) => Error): PlanNode {
  const columns = line.split(",").map((cell) => cell.trim());
  if (columns.length !== COLUMNS) throw wrong(`has ${columns.length} columns, not ${COLUMNS}`);
  const [queryId, nodeId, parentId, encoding, ...costs] = columns as [string, string, string, string, ...string[]];
  if (!/^-?\d{1,20}$/.test(queryId))
    throw wrong(`has the query id "${queryId.slice(0, 40)}", which is no whole number`);
  const id = (what: string, text: string, least: number) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least))
      throw wrong(`has the ${what} "${text.slice(0, 40)}", which is no whole number from ${least}`);
    return value;
  };
  const finite = (text: string) => {
    const value = text === "" ? Number.NaN : Math.fround(Number(text));
    if (!Number.isFinite(value)) throw wrong(`has "${text.slice(0, 40)}" where a number belongs`);
    return value;
  };
  const code = Float64Array.from(encoding.split(/\s+/), finite);
  if (code.length > planBounds.encoding) throw wrong(`has an encoding of more than ${planBounds.encoding} numbers`);
  for (const cost of costs) finite(cost);
  const [S, T, R, M] = costs.map(Number) as [number, number, number, number];
  return {
    queryId,
    nodeId: id("plan node id", nodeId, 1),
    parentId: id("parent node id", parentId, 0),
    encoding: code,
    costs: { S, T, R, M },
  };
}
