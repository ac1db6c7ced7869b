import { resolve } from "node:path";
import type { GateSettings } from "../../components/gate-settings.ts";
import type { GateCheck } from "../../serving/judging/checks.ts";
import { type Candidate, judgeModel } from "../../serving/judging/judge.ts";

/** Where the checks run, and who is told. */
export interface Surroundings {
  /** Paths of the settings are relative to it. */
  projectRoot: string;
  /** The stack's endpoint. */
  endpoint: string;
  signal: AbortSignal;
  onLine: (line: string) => void;
}

/** Judges a model by what a gate asks of it before it is published, cheapest first; what is not asked for is not loaded. */
export async function judgeHere(
  { maxMegabytes, accuracy, command, commandSeconds }: GateSettings,
  candidate: Candidate,
  surroundings: Surroundings,
): Promise<GateCheck[]> {
  const { projectRoot } = surroundings;
  const table = accuracy && { ...accuracy, table: resolve(projectRoot, accuracy.table) };
  const checks = await judgeModel({ maxMegabytes, accuracy: table }, candidate);
  if (command !== undefined && checks.every(({ passed }) => passed)) {
    const { commandCheck } = await import("./own-command.ts");
    checks.push(
      await commandCheck({
        command,
        cwd: projectRoot,
        told: {
          SLIPWAY_MODEL_DIR: await candidate.folder(),
          SLIPWAY_MODEL_DIGEST: candidate.digest,
          SLIPWAY_OLD_DIGEST: candidate.before?.digest ?? "",
          SLIPWAY_ENDPOINT: surroundings.endpoint,
        },
        timeoutMs: commandSeconds * 1000,
        signal: surroundings.signal,
        onLine: surroundings.onLine,
      }),
    );
  }
  return checks;
}
