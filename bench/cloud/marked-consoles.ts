import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../src/common/errors.ts";

const timeoutMs = 180_000;
const pauseMs = 10;

/**
 * Waits until a mark stands in each of some console logs. What the bench itself takes would be taken from the guests: so one loop looks at all
 * of them, and reads a log only when it has grown.
 * @returns when, in the files' order, as `performance.now()` tells it
 * @throws SlipwayError E_TIMEOUT after three minutes
 */
export async function whenMarked(files: readonly string[], mark: string): Promise<number[]> {
  const deadline = performance.now() + timeoutMs;
  const sizes = new Map<string, number>();
  const marked = new Map<string, number>();
  while (marked.size < files.length) {
    for (const file of files) {
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (marked.has(file) || size === (sizes.get(file) ?? 0)) continue;
      sizes.set(file, size);
      if (readFileSync(file, "utf8").includes(mark)) marked.set(file, performance.now());
    }
    if (performance.now() > deadline) throw new SlipwayError("E_TIMEOUT", `no "${mark}" in ${files.join(", ")}`);
    await sleep(pauseMs);
  }
  return files.map((file) => marked.get(file) as number);
}
