import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../common/errors.ts";
import { writeFileAtomic } from "../common/files.ts";
import type { Host } from "./host.ts";
import { StepFailed } from "./journal-writer.ts";
import type { Manifest } from "./manifest.ts";
import { ensurePayload } from "./payload.ts";

const UPGRADE_TIMEOUT_MS = 600_000;
const failureSchema = z.object({ step: z.string(), reason: z.string(), lines: z.array(z.string()) });
const upgradeResult = z.union([z.object({ outputs: z.array(z.number()) }), z.object({ failure: failureSchema })]);

/** The step that failed, as a verdict names it. */
export function failureOf(error: unknown): z.infer<typeof failureSchema> {
  if (error instanceof StepFailed) return { step: error.step, reason: error.message, lines: error.lines };
  return { step: "bootstrap", reason: messageOf(error), lines: [] };
}

/**
 * Has a new payload's own bootstrap converge the host: a payload alone knows what its services need.
 * @throws StepFailed with the step that failed in there
 */
export async function upgradePayload(host: Host, manifest: Manifest, document: string): Promise<number[]> {
  const folder = await host.journal.step("layers", () =>
    ensurePayload(host.paths, host.config.sourceUrl, manifest.payload),
  );
  await writeFileAtomic(host.paths.manifest, document, 0o644);
  const node = join(folder, "runtime/bin/node");
  const { stdout } = await host.run(node, [join(folder, "app/bootstrap.mjs"), "upgrade"], {
    timeoutMs: UPGRADE_TIMEOUT_MS,
    env: process.env,
  });
  const result = upgradeResult.parse(JSON.parse(stdout));
  if ("failure" in result) {
    const { step, reason, lines } = result.failure;
    throw new StepFailed(step, reason, lines, undefined);
  }
  return result.outputs;
}
