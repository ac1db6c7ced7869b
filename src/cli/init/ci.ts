import { join, relative } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import type { Reporter } from "../ui/reporter.ts";
import { openLocalStack } from "../workspace.ts";
import { ask } from "./ask.ts";
import { type CiKind, ciPaths, ciText, isUnedited } from "./ci-files.ts";

/** What workflows are written, and how. */
interface CiRequest {
  kinds: CiKind[];
  stack: string;
  branch: string;
  /** Also over a file that somebody has edited. */
  force: boolean;
  /** Whether there is somebody to ask. */
  asks: boolean;
  reporter: Reporter;
  signal: AbortSignal;
}

/**
 * Writes the workflow of a stack for each CI. A file that is not as it was written once, or is somebody else's, is replaced only with
 * a yes on the terminal or by force.
 * @throws SlipwayError E_STACK_UNKNOWN, E_CONFIG_INVALID; E_USAGE for such a file where nobody is asked, E_INTERRUPTED for a no
 */
export async function initCi({ kinds, stack, branch, force, asks, reporter, signal }: CiRequest): Promise<void> {
  const { projectRoot, config } = await openLocalStack(stack);
  const plan = { stack, model: config.model.directory, branch };
  const planned = kinds.map((kind) => ({ path: join(projectRoot, ciPaths[kind]), text: ciText(kind, plan) }));
  for (const { path, text } of planned) {
    const present = await readTextIfExists(path);
    const isOurs = present === undefined || present === text || isUnedited(present);
    if (!isOurs && !force) await confirmReplacing(relative(process.cwd(), path), asks, signal);
  }
  for (const { path, text } of planned) await writeFileAtomic(path, text, 0o644);
  const files = planned.map(({ path }) => relative(process.cwd(), path));
  reporter.result(
    { ok: true, stack, files },
    [
      ...files.map((file) => `${file} is written.`),
      "Next: `slipway home save`, and the secrets of docs/how-to/ci.md",
    ].join("\n"),
  );
}

async function confirmReplacing(file: string, asks: boolean, signal: AbortSignal): Promise<void> {
  if (!asks) {
    throw new SlipwayError("E_USAGE", `${file} is there already, and is not as \`slipway init ci\` wrote it`, {
      hint: "Add --force to replace it.",
    });
  }
  const choices = [
    { name: "no", about: "it is left as it is" },
    { name: "yes", about: "it is replaced" },
  ];
  const message = `${file} was edited, or is another's. Replace it?`;
  const answer = await ask({ message, choices, suggestion: "no", problem: () => undefined }, signal);
  if (answer !== "yes") throw new SlipwayError("E_INTERRUPTED", `${file} is left as it is`);
}
