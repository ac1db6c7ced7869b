import { z } from "zod";
import { tokenEntry } from "../serving/access/tokens.ts";
import { containersSchema } from "./containers/settings.ts";
import { fileRef } from "./file-ref.ts";

const instances = z.int().min(1).max(64);

/** How many instances of its services a host runs. */
export const scaleSchema = z.object({
  /** 1 unless told otherwise. */
  worker: instances.optional(),
  /** Replicas of the one group of runtimes; 2 unless told otherwise. With groups of its own `serving.runtimes` says how many. */
  runtime: instances.optional(),
});

export type Scale = z.infer<typeof scaleSchema>;

/** A repository on the hosts: who may push to it, what of a push is a model, and what it is judged by there. */
const gitSettings = z.object({
  branch: z.string(),
  /** Of the model in the repository; "." for its top. */
  directory: z.string(),
  /** Public keys, as in OpenSSH's authorized_keys without options. */
  keys: z.array(z.string()),
  maxMegabytes: z.number().optional(),
  accuracy: z
    .object({ table: fileRef, target: z.string().optional(), min: z.number().optional(), maxDrop: z.number() })
    .optional(),
});

export type GitSettings = z.infer<typeof gitSettings>;

/**
 * What a stack's configuration tells its hosts' services, as the signed manifest carries it. Nothing in it is a secret: whoever can read
 * the publication can read it.
 */
export const hostSettingsSchema = z.object({
  /** By what callers are recognized: hashes, never tokens. Without it the host demands none. */
  tokens: z.array(tokenEntry).min(1).optional(),
  /** Keys of serving.json; checked by the payload that reads them, since another one may know others. */
  serving: z.record(z.string(), z.unknown()).optional(),
  scale: scaleSchema.optional(),
  /** Without it the services are the host's own. */
  containers: containersSchema.optional(),
  /** The listener for openGauss: what its certificate and its clients' authorities say, PEM. The key is brought over SSH. */
  aiengine: z.object({ cert: z.string(), ca: z.string(), settings: z.record(z.string(), z.unknown()) }).optional(),
  git: gitSettings.optional(),
});

export type HostSettings = z.infer<typeof hostSettingsSchema>;
