import { z } from "zod";

/** What share of the requests a version on trial sees. */
export const trafficSchema = z.object({
  /** `canary`: its answers are returned. `shadow`: it is asked besides, its answers are compared with the live version's, and nobody gets them. */
  mode: z.enum(["canary", "shadow"]),
  /** Of the requests that name no version; a canary of 0 is seen by those alone who ask for it by the header. */
  percent: z.number().min(0).max(100),
});

export type Traffic = z.infer<typeof trafficSchema>;

/** Thresholds that a host judges a release by. Every one has a default, see docs/reference/releases.md. */
export const gateSchema = z.object({
  /** Seconds after the switch in which the host goes back by itself. */
  watchSeconds: z.number().min(0).max(3600).default(5),
  /** Share of the new version's answers that may be failures (5xx), 0 … 1. */
  errorRate: z.number().min(0).max(1).default(0.01),
  /** How many times slower than the version before the new one's median may be. */
  latencyRatio: z.number().min(1).default(3),
  /** A median below this many milliseconds is never too slow. */
  latencyFloorMs: z.number().min(0).default(20),
  /** Share of a shadow's compared answers that may differ from the live version's, 0 … 1; any unless given. */
  shadowDiffering: z.number().min(0).max(1).optional(),
  /** How far a number of a shadow's answer may be from the live version's: absolute, and relative above 1; any distance unless given. */
  shadowLargestDifference: z.number().min(0).optional(),
  /** Whether the model may refuse what the live one's clients ask. */
  allowNewInputs: z.boolean().default(false),
});

export type Gate = z.infer<typeof gateSchema>;

/** For what a manifest was published. */
const releaseKind = z.enum([
  "up",
  "deploy",
  "rollback",
  "canary",
  "shadow",
  "promote",
  "abort",
  "restore",
  "push",
  "scale",
]);

export const originSchema = z.object({
  kind: releaseKind,
  /** Login name and machine, e.g. `ada@laptop`. */
  by: z.string(),
  at: z.iso.datetime(),
  /** Where a promoted model was taken from: the stack that served it, and by which version there. */
  from: z.object({ stack: z.string(), version: z.string() }).optional(),
});

export type Origin = z.infer<typeof originSchema>;

/** A push to a host's repository that became a release. */
export const pushSchema = z.object({
  /** Counts the host's pushes upon one signed release from 1. */
  number: z.number().int().positive(),
  branch: z.string(),
  commit: z.string(),
  /** Names the request to the agent: a commit may be pushed again. */
  request: z.string(),
});
