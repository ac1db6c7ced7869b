import { parseJournal } from "../../guest/journal.ts";
import { describe } from "../../health/follow-journal.ts";
import { consoleOutput } from "../../openstack/compute/servers.ts";
import { requireOutputs } from "../running-stack.ts";
import { printable } from "../ui/reporter.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

export const verb = declare({
  options: {
    console: { type: "boolean", default: false, describe: "the whole console log" },
    lines: { type: "number", describe: "only the last lines of the console log" },
  },
  run: async ({ args, reporter }) => {
    const workspace = await openWorkspace(args);
    const { serverId, serverName } = await requireOutputs(workspace);
    await requireOwnCloud(workspace);
    const console = await consoleOutput(workspace.session, serverId, args.lines);
    if (args.console) {
      reporter.result({ ok: true, stack: workspace.stack, host: serverName, console }, printable(console));
      return;
    }
    const journal = parseJournal(console);
    const text = journal.flatMap(({ boot, entry }) => {
      const time = "ms" in entry ? ` (${Math.round(entry.ms)} ms)` : "";
      const lines = entry.type === "step" && entry.state === "end" ? (entry.lines ?? []) : [];
      return [`${entry.at} ${boot.slice(0, 8)} ${describe(entry)}${time}`, ...lines.map((line) => `    ${line}`)];
    });
    reporter.result({ ok: true, stack: workspace.stack, host: serverName, journal }, printable(text.join("\n")));
  },
});
