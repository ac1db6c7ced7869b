import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../../common/digest.ts";
import { ensureText, readTextIfExists } from "../../common/files.ts";
import { CommandError } from "../../common/process.ts";
import type { Host } from "../host.ts";
import { runOutside } from "../outside.ts";
import type { GuestPaths } from "../paths.ts";
import type { GitSettings } from "../settings.ts";
import { ensureFetched } from "../source.ts";
import { authorizedKeys, GIT_USER, hookScript, receiveScript } from "./texts.ts";

const INSTALL_TIMEOUT_MS = 300_000;
const TABLE_TIMEOUT_MS = 120_000;

/**
 * What none of the agent's own rights suffices for: git from the distribution, where the image lacks it; the user that pushes log in as, who
 * has no password; the repository, the spool. Arguments: the user, its home, the branch.
 */
const setUpScript = `set -eu
user=$1 home=$2 branch=$3
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >&2; }
command -v git >/dev/null || { apt update; apt install --no-install-recommends git; }
getent passwd "$user" >/dev/null ||
  useradd --system --user-group --home-dir "$home" --shell /bin/sh --password '*' "$user"
[ "$(getent passwd "$user" | cut -d: -f6)" = "$home" ] || { echo "the user $user is somebody else's here" >&2; exit 1; }
mkdir -p -m 755 "$home"
for folder in model.git spool; do [ -d "$home/$folder" ] || install -d -o "$user" -g "$user" -m 700 "$home/$folder"; done
asGit() { setpriv --reuid "$user" --regid "$user" --clear-groups env HOME="$home" git -C "$home/model.git" "$@"; }
[ -f "$home/model.git/HEAD" ] || asGit init -q --bare
asGit symbolic-ref HEAD "refs/heads/$branch"
`;

/**
 * A repository that is pushed to with the deploy keys, and to nothing else with them: a push of the branch becomes a release of this host, or
 * is refused with the reason.
 */
export async function ensureGit(host: Host, settings: GitSettings): Promise<void> {
  const { paths, config, run } = host;
  const { home, keys, receive, hooks, tables } = paths.git;
  const { branch, accuracy } = settings;
  const setUp = ["-c", setUpScript, "sh", GIT_USER, home, branch];
  await runOutside(run, "/bin/sh", setUp, { timeoutMs: INSTALL_TIMEOUT_MS }).catch((error: unknown) => {
    const said = error instanceof CommandError ? error.stderr.trim() : "";
    throw new Error(["git cannot be set up", ...said.split("\n").slice(-8)].join("\n"), { cause: error });
  });
  if (accuracy) {
    const { table } = accuracy;
    await ensureFetched(config.sourceUrl, table, join(tables, `${hexOf(table.digest)}.csv`), TABLE_TIMEOUT_MS);
  }
  await mkdir(paths.pushes, { recursive: true, mode: 0o700 });
  await ensureText(receive, receiveScript(paths.git, config.stack), 0o755);
  await ensureText(join(hooks, "pre-receive"), hookScript, 0o755);
  // sshd reads the keys as the user that logs in, and asks that nobody else may write them
  await ensureText(keys, authorizedKeys(settings.keys, receive), 0o644);
  for (const folder of [hooks, join(home, ".ssh")]) await chmod(folder, 0o755);
}

/** Lets nobody push any more, where somebody could. */
export async function closeGit({ git }: Pick<GuestPaths, "git">): Promise<void> {
  if ((await readTextIfExists(git.keys)) !== undefined) await ensureText(git.keys, "", 0o644);
}
