import type { GuestPaths } from "../paths.ts";

/** As whom pushes log in: the name that git's URLs usually have. */
export const GIT_USER = "git";

/** Seconds that a push waits for another one's end, and that a push may take altogether. */
const TURN_S = 60;
const PUSH_S = 3600;
/** What one push may bring, packed. */
const MOST_INPUT = "2g";
const BUSY = 9;

/**
 * The one command of a deploy key, whatever is asked for: git-receive-pack in the one repository, one push at a time, with hooks that the
 * repository's owner cannot change. Its argument is who pushes.
 */
export function receiveScript({ repository, hooks, spool }: GuestPaths["git"], stack: string): string {
  return `#!/bin/sh
export SLIPWAY_PUSHER="$1"
case \${SSH_ORIGINAL_COMMAND-} in
  "git-receive-pack "* | "git receive-pack "*) ;;
  *)
    echo "slipway: this key pushes models to ${stack} with git, and does nothing else" >&2
    exit 1
    ;;
esac
# a push that waits sees the branch as the one before it has left it
flock -o -w ${TURN_S} -E ${BUSY} ${spool}/lock timeout --foreground ${PUSH_S} git \\
  -c core.hooksPath=${hooks} -c receive.maxInputSize=${MOST_INPUT} -c transfer.fsckObjects=true \\
  receive-pack ${repository}
status=$?
[ $status != ${BUSY} ] || echo "slipway: another push is under way: push again when it has ended" >&2
exit $status
`;
}

/** What git asks before it moves a branch. */
export const hookScript = `#!/bin/sh
exec /opt/slipway/current/runtime/bin/node /opt/slipway/current/app/push-hook.mjs
`;

/** sshd's file: each key leads to the one command, which is told whose it is. */
export function authorizedKeys(keys: readonly string[], receive: string): string {
  return keys
    .map((key) => {
      const [type = "", base64 = "", ...comment] = key.trim().split(/\s+/);
      // within sshd's and the shell's quotes
      const who = comment.join(" ").replace(/[^A-Za-z0-9@._+ -]/g, "_") || "a deploy key";
      return `restrict,command="${receive} '${who}'" ${type} ${base64}\n`;
    })
    .join("");
}
