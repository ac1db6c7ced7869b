import { invalid } from "../errors.ts";
import type { PlanNode } from "./plans.ts";

/** Numbers of a subtree beside the sums of encodings: height, ln(1 + nodes below), children. */
const SHAPE_FEATURES = 3;

/** Encodings of a node's features: its own, the sum of its children's, the sum of all further below, the largest of all below. */
export const ENCODINGS = 4;

/** Numbers of an encoding that is described by this many: the other way round. */
export function encodingLength(features: number): number {
  return (features - SHAPE_FEATURES) / ENCODINGS;
}

/** How many numbers describe a node whose encoding has this many. */
export function featureCount(encoding: number): number {
  return ENCODINGS * encoding + SHAPE_FEATURES;
}

/** Nodes described by their subtrees: row-major, a row for each node in the order given, in numbers that single precision holds. */
export interface PlanFeatures {
  rows: number;
  width: number;
  values: Float64Array;
}

/**
 * Describes each node by itself and what is below it, which is what its cost depends on: its encoding; the sum of its children's
 * encodings; the sum of the encodings further below; the largest of each number below; the height of its subtree (a leaf's is 0), ln(1 + nodes below), its children.
 * A node that is told twice (openGauss gathers a query again and again) counts once in its parent's subtree.
 * @throws SlipwayError E_TRAINING_INVALID for a parent that is not there and for nodes that are their own ancestors
 */
export function planFeatures(nodes: readonly PlanNode[]): PlanFeatures {
  const encoding = nodes[0]?.encoding.length ?? 0;
  const width = featureCount(encoding);
  const values = new Float64Array(nodes.length * width);
  const trees = subtrees(nodes);
  nodes.forEach((node, row) => {
    const tree = trees.get(keyOf(node)) as Subtree;
    const at = row * width;
    values.set(node.encoding, at);
    values.set(tree.children, at + encoding);
    for (let i = 0; i < encoding; i++) {
      values[at + 2 * encoding + i] = (tree.below[i] as number) - (tree.children[i] as number);
    }
    values.set(tree.largest, at + 3 * encoding);
    values.set([tree.height, Math.log1p(tree.count), tree.childCount], at + ENCODINGS * encoding);
  });
  return { rows: nodes.length, width, values: values.map(Math.fround) };
}

/** What is below a node. */
interface Subtree {
  node: PlanNode;
  /** Sums of encodings. */
  children: Float64Array;
  below: Float64Array;
  /** The largest of each number below; 0 where nothing is. */
  largest: Float64Array;
  height: number;
  count: number;
  childCount: number;
  /** Children whose own subtrees are not summed up yet. */
  waitsFor: number;
}

const keyOf = ({ queryId, nodeId }: PlanNode) => `${queryId} ${nodeId}`;
const parentKeyOf = ({ queryId, parentId }: PlanNode) => `${queryId} ${parentId}`;

/** Sums up from the leaves to the roots. */
function subtrees(nodes: readonly PlanNode[]): Map<string, Subtree> {
  const trees = new Map<string, Subtree>();
  for (const node of nodes) {
    const zeros = () => new Float64Array(node.encoding.length);
    const empty = {
      children: zeros(),
      below: zeros(),
      largest: zeros(),
      height: 0,
      count: 0,
      childCount: 0,
      waitsFor: 0,
    };
    trees.set(keyOf(node), { node, ...empty });
  }
  for (const { node } of trees.values()) {
    if (node.parentId === 0) continue;
    const parent = trees.get(parentKeyOf(node));
    if (parent === undefined) {
      throw invalid(
        `node ${node.nodeId} of query ${node.queryId} has the parent ${node.parentId}, which is not in the file`,
      );
    }
    parent.waitsFor++;
  }
  const ready = [...trees.values()].filter(({ waitsFor }) => waitsFor === 0);
  let summed = 0;
  for (let tree = ready.pop(); tree; tree = ready.pop()) {
    summed++;
    const parent = tree.node.parentId === 0 ? undefined : trees.get(parentKeyOf(tree.node));
    if (parent === undefined) continue;
    tree.node.encoding.forEach((value, i) => {
      parent.children[i] = (parent.children[i] as number) + value;
      parent.below[i] = (parent.below[i] as number) + value + ((tree as Subtree).below[i] as number);
      const largest = (tree as Subtree).count === 0 ? value : Math.max(value, (tree as Subtree).largest[i] as number);
      parent.largest[i] = parent.count === 0 ? largest : Math.max(largest, parent.largest[i] as number);
    });
    parent.height = Math.max(parent.height, tree.height + 1);
    parent.count += tree.count + 1;
    parent.childCount++;
    if (--parent.waitsFor === 0) ready.push(parent);
  }
  if (summed < trees.size) throw invalid("the plans have nodes that are their own ancestors");
  return trees;
}
