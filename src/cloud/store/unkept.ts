import { messageOf } from "../../common/errors.ts";

/**
 * The last handler of work that nobody waits for. Those before it write what became of the work to the store, and throw where a full disk takes
 * nothing more: what it was about is then as it was, and is taken up again at the next start.
 */
export function logUnkept(log: (line: string) => void, what: string): (error: unknown) => void {
  return (error) => log(`${what}: what became of it could not be kept: ${messageOf(error)}`);
}
