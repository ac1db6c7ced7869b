import { ExitCode } from "../../common/error-catalogue.ts";
import { type JournalLine, parseJournal } from "../../guest/journal.ts";
import { ConsoleRefused } from "../../health/console-texts.ts";
import { consoleAsWritten, journalAsWritten } from "../../health/follow-console.ts";
import { describe } from "../../health/follow-journal.ts";
import { consoleOutput } from "../../openstack/compute/servers.ts";
import { requireOutputs } from "../running-stack.ts";
import { printable } from "../ui/reporter.ts";
import { type Call, verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

const options = {
  console: { type: "boolean", default: false, describe: "the whole console log" },
  follow: { type: "boolean", alias: "f", default: false, describe: "go on with what is written, until Ctrl-C" },
  lines: { type: "number", describe: "only what the last lines of the console log hold; with --follow: to begin with" },
} as const;

export const verb = declare({
  options,
  run: async (call) => {
    const { args, reporter, signal } = call;
    const workspace = await openWorkspace(args);
    const { serverId, serverName: host } = await requireOutputs(workspace);
    await requireOwnCloud(workspace);
    const { session, stack } = workspace;
    if (args.follow) {
      await follow(call, host, () => consoleOutput(session, serverId, undefined, signal));
      reporter.result({ ok: true, stack, host }, "");
      return;
    }
    const console = await consoleOutput(session, serverId, args.lines);
    if (args.console) {
      reporter.result({ ok: true, stack, host, console }, printable(console));
      return;
    }
    const journal = parseJournal(console);
    reporter.result({ ok: true, stack, host, journal }, journal.map(journalText).join("\n"));
  },
});

/** Ends by Ctrl-C, with the exit code that followers have then (tail -f, kubectl logs -f), or when nobody reads any more. */
async function follow(
  { args, reporter, signal: interrupted, readerGone }: Call<typeof options>,
  host: string,
  readConsole: () => Promise<string>,
): Promise<void> {
  const signal = AbortSignal.any([interrupted, readerGone]);
  const followed = { readConsole, lines: args.lines, signal };
  try {
    if (args.console) {
      for await (const { text, gap } of consoleAsWritten(followed)) {
        if (gap) reporter.note(`the console log of ${host} does not go on from here: something may be missing`);
        for (const line of text.replace(/\r?\n$/, "").split(/\r?\n/)) {
          reporter.part({ type: "console", host, line }, printable(line));
        }
      }
    } else {
      for await (const line of journalAsWritten(followed)) {
        reporter.part({ type: "journal", host, ...line }, journalText(line));
      }
    }
  } catch (error) {
    throw error instanceof ConsoleRefused ? error.cause : error;
  }
  if (interrupted.aborted) process.exitCode = ExitCode.interrupted;
}

/** An entry on a line for people, the lines of a step that failed below it. */
function journalText({ boot, entry }: JournalLine): string {
  const time = "ms" in entry ? ` (${Math.round(entry.ms)} ms)` : "";
  const lines = entry.type === "step" && entry.state === "end" ? (entry.lines ?? []) : [];
  const text = [`${entry.at} ${boot.slice(0, 8)} ${describe(entry)}${time}`, ...lines.map((line) => `    ${line}`)];
  return printable(text.join("\n"));
}
