import { access } from "node:fs/promises";

/** util-linux's, part of every Debian; the kernel's "parent death signal" has no other face that a Node process could use. */
const setpriv = "/usr/bin/setpriv";

/**
 * A command line that the kernel ends (SIGKILL) when the process that starts it dies, however that dies. A Pulumi program whose engine
 * is gone does not end by itself: its SDK reports the lost connection over the lost connection, for ever, with a core and all memory.
 * Elsewhere than on Linux the command stays as it is.
 */
export async function endingWithParent(command: readonly string[]): Promise<string[]> {
  const isThere = await access(setpriv).then(
    () => true,
    () => false, // another system, or a bare container
  );
  return isThere ? [setpriv, "--pdeathsig", "KILL", "--", ...command] : [...command];
}
