import { messageOf } from "../../common/errors.ts";
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

/** What a model must be, wherever it is judged; what is not asked for is not looked at. */
export interface ModelTerms {
  maxMegabytes?: number | undefined;
  /** Of the rows of a CSV file: the features, and the true class. */
  accuracy?:
    | {
        /** Path of the file. */
        table: string;
        /** Name of the column with the true class; the last one unless given. */
        target?: string | undefined;
        /** Share of rows that must come out right. */
        min?: number | undefined;
        /** By how much the share may be below that of the model that serves. */
        maxDrop: number;
      }
    | undefined;
}

/** Judges a model by its size and by what it makes of a table, the cheaper first; after a refusal no further check is made. */
export async function judgeModel({ maxMegabytes, accuracy }: ModelTerms, candidate: Candidate): Promise<GateCheck[]> {
  const checks: GateCheck[] = [];
  if (maxMegabytes !== undefined) checks.push(sizeCheck(candidate.bytes, maxMegabytes));
  if (accuracy !== undefined && checks.every(({ passed }) => passed)) {
    checks.push(...(await accuracyChecks(accuracy, candidate)));
  }
  return checks;
}

async function accuracyChecks(
  { table: path, target, min, maxDrop }: NonNullable<ModelTerms["accuracy"]>,
  { folder, before }: Candidate,
): Promise<GateCheck[]> {
  const { accuracyOf, readGateTable } = await import("./accuracy.ts");
  const table = await readGateTable(path);
  const now = await accuracyOf(await folder(), table, target);
  const checks = min === undefined ? [] : [accuracyCheck(now, min)];
  if (before === undefined) return checks;
  const served = await before
    .folder()
    .then((found) => accuracyOf(found, table, target))
    .catch((error: unknown) => ({ why: messageOf(error) }));
  return [...checks, dropCheck(now, served, maxDrop)];
}
