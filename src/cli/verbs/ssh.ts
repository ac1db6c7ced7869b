import { SlipwayError } from "../../common/errors.ts";
import { quoteForShell } from "../../contextualization/helpers.ts";
import { withStackLock } from "../../release/stack-lock.ts";
import { sitAt } from "../../remote/terminal.ts";
import { withHost } from "../host-access.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { requireOutputs } from "../running-stack.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

/** What a shell says of a command that wrote to nobody: 128 and SIGPIPE's number. */
const READER_GONE = 141;

/** Logs in to a stack's host; words after `--` are a command there, whose exit status is this one's. */
export const verb = declare({
  options: {},
  run: async ({ args, reporter, signal, readerGone }) => {
    const words = (args["--"] ?? []) as string[];
    if (words.length === 0 && !(process.stdin.isTTY && process.stdout.isTTY)) {
      throw new SlipwayError("E_USAGE", "a login shell needs a terminal", {
        hint: "Name a command after --, as in `slipway ssh production -- uptime`.",
      });
    }
    const workspace = await openWorkspace(args);
    await refusePretendedGuests(workspace);
    const outputs = await requireOutputs(workspace);
    await requireOwnCloud(workspace);
    const progress = { note: (text: string) => reporter.note(text), detail: (text: string) => reporter.detail(text) };
    // one word is a command line, as with ssh; several are an argument list
    const command = words.length === 1 ? words[0] : words.map(quoteForShell).join(" ");
    const { stack, stackHome } = workspace;
    const alone = <T>(act: () => Promise<T>) => withStackLock(stackHome, `ssh ${stack}`, act);
    const until = AbortSignal.any([signal, readerGone]);
    process.exitCode = await withUsageIfFull(workspace.session, () =>
      withHost(workspace, { outputs, progress, signal, alone }, (connection) =>
        sitAt(connection, command === "" ? undefined : command, process, until).catch((error: unknown) => {
          if (error !== readerGone.reason) throw error;
          return READER_GONE;
        }),
      ),
    );
  },
});
