import { isErrno } from "../../src/common/errors.ts";

/** True where a process has this pid, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return isErrno(error, "EPERM");
  }
}
