import { SlipwayError } from "../../common/errors.ts";
import { readReleases } from "../../health/follow-release.ts";
import { readHistory } from "../../release/history.ts";
import { findOwnToken } from "../../release/tokens.ts";
import { differencesOf, type KnownRelease, mergedReleases } from "../known-releases.ts";
import { requireOutputs } from "../running-stack.ts";
import { endpointUrl } from "../stack-outputs.ts";
import { seconds } from "../ui/reporter.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";

export const verb = declare({
  options: {},
  words: { what: "stacks" },
  texts: { what: "the stack; or `diff` and two releases' numbers", from: "with `diff`: a release", to: "and another" },
  run: async ({ args, reporter }) => {
    const { what, from, to } = args as { what?: string; from?: string; to?: string };
    const isDiff = what === "diff";
    if (!isDiff && from !== undefined) {
      throw new SlipwayError("E_USAGE", `${from} is not understood`, {
        hint: "Write `slipway releases [stack]`, or `slipway releases diff 2 3 --stack production`.",
      });
    }
    const workspace = await openWorkspace({ ...args, stack: isDiff ? args.stack : (what ?? args.stack) });
    const { stack } = workspace;
    const releases = await knownReleases(workspace);
    if (!isDiff) {
      const text = releases.length === 0 ? `${stack} has released nothing yet` : tableOf(releases);
      reporter.result({ ok: true, stack, releases }, text);
      return;
    }
    const [before, after] = [requireRelease(releases, from, stack), requireRelease(releases, to, stack)];
    const differences = differencesOf(before, after);
    const lines = differences.map(({ name, before, after }) => `${name.padEnd(9)}${before} → ${after}`);
    reporter.result(
      { ok: true, stack, from: before, to: after, differences },
      lines.length === 0 ? "nothing differs" : lines.join("\n"),
    );
  },
});

/** What this machine remembers, and the host where it answers: a stack whose host is gone has a history all the same. */
async function knownReleases(workspace: Workspace): Promise<KnownRelease[]> {
  const history = readHistory(workspace.stackHome);
  const outputs = await requireOutputs(workspace).catch((error: unknown) => {
    if (error instanceof SlipwayError && error.code === "E_STACK_UNKNOWN") return undefined;
    throw error;
  });
  const token = await findOwnToken(workspace.stackHome);
  const reports = outputs === undefined ? undefined : await readReleases(endpointUrl(outputs), { token });
  return mergedReleases(await history, reports ?? []);
}

function requireRelease(releases: readonly KnownRelease[], text: string | undefined, stack: string): KnownRelease {
  const found = releases.find(({ release }) => release === text);
  if (found !== undefined) return found;
  throw new SlipwayError("E_USAGE", `there is no release ${text ?? "named"} of ${stack}`, {
    hint: `Choose two of ${releases.map(({ release }) => release).join(", ") || "those that are made"}.`,
  });
}

function tableOf(releases: readonly KnownRelease[]): string {
  const rows = [["RELEASE", "AT", "BY", "KIND", "MODEL", "PAYLOAD", "RESULT", "TIME"], ...releases.map(rowOf)];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function rowOf({
  release,
  push,
  at,
  by,
  kind,
  from,
  model,
  trial,
  payload,
  result,
  failure,
  ms,
}: KnownRelease): string[] {
  const beside = trial === undefined ? "" : ` + ${trial.model.version} (${trial.mode} ${trial.percent} %)`;
  return [
    release,
    at,
    by ?? "–",
    [kind, from && `of ${from.stack} ${from.version}`, push && `of ${push.branch} ${push.commit.slice(0, 12)}`]
      .filter(Boolean)
      .join(" "),
    `${model.name} ${model.version} ${short(model.digest)}${beside}`,
    short(payload),
    failure === undefined ? result : `${result}: ${failure.phase}, ${failure.reason}`,
    ms === undefined ? "–" : seconds(ms),
  ];
}

function short(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
