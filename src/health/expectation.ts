import { join } from "node:path";
import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { probeSchema } from "../serving/models/probe.ts";
import type { Expectation } from "./check-endpoint.ts";

const FILE = "expectation.json";

const schema = probeSchema.extend({ digest: z.string() });

/** Remembers what a stack's endpoint must answer since its last good release, so that `check` needs no model at hand. */
export async function rememberExpectation(stackHome: string, expectation: Expectation): Promise<void> {
  await writeFileAtomic(join(stackHome, FILE), JSON.stringify(expectation));
}

/** What was remembered; undefined before the first good release. */
export async function readExpectation(stackHome: string): Promise<Expectation | undefined> {
  const text = await readTextIfExists(join(stackHome, FILE));
  return text === undefined ? undefined : schema.parse(JSON.parse(text));
}
