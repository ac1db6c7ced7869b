import { randomInt } from "node:crypto";
import { readTextIfExists } from "../../common/files.ts";
import { isPortInUse, type Listener, listen } from "./listen.ts";

/** Below are the ports of well-known services, and those that people give to servers of their own. */
const lowest = 20_000;

const attempts = 100;

/**
 * Takes a port that is free and that the kernel gives to no outgoing connection: it is listened on at other addresses of this machine
 * and at later starts too, where a connection that happened to leave from it (one to a guest that is gone lasts for minutes) would
 * stand in the way.
 * Where there is none, any that is free will have to do.
 * @param range where to look: from the first port to before the second; as this machine has it unless told otherwise
 */
export async function listenOnLastingPort(host: string, range?: [number, number]): Promise<Listener> {
  const [first, end] = range ?? [lowest, await firstEphemeralPort()];
  for (let attempt = 0; first < end && attempt < attempts; attempt += 1) {
    try {
      return await listen(host, randomInt(first, end));
    } catch (error) {
      if (!isPortInUse(error)) throw error;
    }
  }
  return listen(host, 0);
}

/** The first of the ports that connections leave from: Linux says it; elsewhere it is what IANA recommends (RFC 6335, 6). */
async function firstEphemeralPort(): Promise<number> {
  const range = await readTextIfExists("/proc/sys/net/ipv4/ip_local_port_range");
  return range === undefined ? 49_152 : Number.parseInt(range, 10);
}
