import { z } from "zod";
import { identitySchema as model } from "../serving/models/registry.ts";
import { originSchema, pushSchema, trafficSchema } from "./release-terms.ts";

const { digest } = model.shape;

/**
 * The way of a release through a host, in this order. `fetch`: payload and model come onto the host. `load`: the model is loaded beside
 * the one that serves, or the new payload's processes start beside the old ones. `gate`: it is asked what a release must be able to answer.
 * `switch`: requests go to it from now on. `watch`: it is compared with what served before. `settle`: what is no longer needed is let go.
 */
export const releasePhase = z.enum(["fetch", "load", "gate", "switch", "watch", "settle"]);

export type ReleasePhase = z.infer<typeof releasePhase>;

const failure = z.object({ phase: releasePhase, reason: z.string(), lines: z.array(z.string()) });

/** One release, as a host tells of it while it is under way and remembers it afterwards. */
export const releaseReport = z.object({
  /** Of its manifest. */
  sequence: z.number().int(),
  origin: originSchema.optional(),
  /** Of what was pushed to the host; the sequence is that of the signed release under it. */
  push: pushSchema.optional(),
  payload: digest,
  model,
  trial: z.object({ model, traffic: trafficSchema }).optional(),
  /** `kept`: it failed, and what served before still does, or does again. `broken`: it failed, and so did the way back. */
  result: z.enum(["underway", "passed", "kept", "broken"]),
  /** The phase that it is in, or was in when it ended. */
  phase: releasePhase,
  failure: failure.optional(),
  /** What the gate and the watch measured, by name, for whoever reads it; milliseconds, shares or counts. */
  figures: z.record(z.string(), z.number()),
  /** When the host began with it. */
  began: z.iso.datetime(),
  /** Milliseconds by phase that is over. */
  ms: z.partialRecord(releasePhase, z.number()),
});

export type ReleaseReport = z.infer<typeof releaseReport>;

/** `GET /v1/release`: what serves, and the release that is under way or was the last. */
export const releaseStatus = z.object({
  schemaVersion: z.literal(1),
  /** What answers requests that name no model. */
  serves: z.object({ sequence: z.number().int(), payload: digest, model, push: pushSchema.optional() }),
  last: releaseReport,
});

export type ReleaseStatus = z.infer<typeof releaseStatus>;
