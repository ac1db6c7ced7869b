import { resolve } from "node:path";
import { messageOf } from "../../common/errors.ts";
import type { AccuracySettings, GateSettings } from "../../components/gate-settings.ts";
import { accuracyCheck, dropCheck, type GateCheck, sizeCheck } from "./checks.ts";

/** A model that is to be released, and what it is judged against. */
export interface Candidate {
  /** Of its package. */
  bytes: number;
  digest: string;
  /** Its unpacked package; asked for where a check needs it. */
  folder: () => Promise<string>;
  /** The model that serves, where one does. */
  before: { digest: string; folder: () => Promise<string> } | undefined;
}

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
  gate: GateSettings,
  candidate: Candidate,
  surroundings: Surroundings,
): Promise<GateCheck[]> {
  const checks: GateCheck[] = [];
  if (gate.maxMegabytes !== undefined) checks.push(sizeCheck(candidate.bytes, gate.maxMegabytes));
  if (gate.accuracy !== undefined && checks.every(({ passed }) => passed)) {
    checks.push(...(await accuracyChecks(gate.accuracy, candidate, surroundings)));
  }
  if (gate.command !== undefined && checks.every(({ passed }) => passed)) {
    const { commandCheck } = await import("./own-command.ts");
    checks.push(
      await commandCheck({
        command: gate.command,
        cwd: surroundings.projectRoot,
        told: {
          SLIPWAY_MODEL_DIR: await candidate.folder(),
          SLIPWAY_MODEL_DIGEST: candidate.digest,
          SLIPWAY_OLD_DIGEST: candidate.before?.digest ?? "",
          SLIPWAY_ENDPOINT: surroundings.endpoint,
        },
        timeoutMs: gate.commandSeconds * 1000,
        signal: surroundings.signal,
        onLine: surroundings.onLine,
      }),
    );
  }
  return checks;
}

async function accuracyChecks(
  { table: path, target, min, maxDrop }: AccuracySettings,
  { folder, before }: Candidate,
  { projectRoot }: Surroundings,
): Promise<GateCheck[]> {
  const { accuracyOf, readGateTable } = await import("./accuracy.ts");
  const table = await readGateTable(resolve(projectRoot, path));
  const now = await accuracyOf(await folder(), table, target);
  const checks = min === undefined ? [] : [accuracyCheck(now, min)];
  if (before === undefined) return checks;
  const served = await before
    .folder()
    .then((found) => accuracyOf(found, table, target))
    .catch((error: unknown) => ({ why: messageOf(error) }));
  return [...checks, dropCheck(now, served, maxDrop)];
}
