import { lookup } from "../../common/lookup.ts";

// How Cinder's and Glance's lists compare times: `gt:2026-01-02T03:04:05`.

/** Whether an operator holds for two values, by the first less the second. */
export const comparisons = lookup<(order: number) => boolean>({
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  eq: (order) => order === 0,
  neq: (order) => order !== 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
});

/** Milliseconds; times without a zone are UTC. NaN for what is no time. */
export const asTime = (text: string): number => Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
