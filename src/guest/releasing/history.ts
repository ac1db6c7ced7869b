import { readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import type { GuestPaths } from "../paths.ts";
import { type ReleaseReport, releaseReport } from "../release-progress.ts";

/** Older releases are forgotten. */
const MOST_RELEASES = 200;

/** Remembers a release that has ended, in place of what was known of the same one before. */
export async function rememberRelease(
  paths: Pick<GuestPaths, "releaseHistory">,
  report: ReleaseReport,
  most = MOST_RELEASES,
): Promise<void> {
  const isSame = ({ sequence, push }: ReleaseReport) =>
    sequence === report.sequence && push?.number === report.push?.number;
  const others = (await readReleaseHistory(paths)).filter((one) => !isSame(one));
  const lines = [...others, report].slice(-most).map((one) => `${JSON.stringify(one)}\n`);
  await writeFileAtomic(paths.releaseHistory, lines.join(""), 0o644);
}

/** The releases that the host remembers, the oldest first. Lines that are none are passed over. */
export async function readReleaseHistory({
  releaseHistory,
}: Pick<GuestPaths, "releaseHistory">): Promise<ReleaseReport[]> {
  const lines = ((await readTextIfExists(releaseHistory)) ?? "").split("\n");
  return lines.flatMap((line) => {
    try {
      return [releaseReport.parse(JSON.parse(line))];
    } catch {
      return []; // the end of the file, or what something else wrote
    }
  });
}
