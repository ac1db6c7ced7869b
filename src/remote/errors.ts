import { SlipwayError } from "../common/errors.ts";
import { fingerprintOf, type HostKey } from "./host-keys.ts";

/** Who was to be reached. */
interface Asked {
  /** What users call it. */
  name: string;
  host: string;
  port: number;
  user: string;
  hostKeys: HostKey[];
}

/** What ssh2 throws while it connects. */
type ConnectError = Error & { level?: string };

/** There is no way into the host, or there was one and it broke. */
export function unreachable(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_SSH", message, {
    hint: "Look at its console with `slipway logs --console`, and whether `sshCidr` holds your own address.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** No key is pinned, so that none can be believed. */
export function unpinned(name: string): SlipwayError {
  return new SlipwayError("E_HOST_KEY", `no host key of ${name} is known: it is not logged in to`, {
    hint: "Put a line with its key, as you trust it, into a known_hosts file that is asked: see the error's page.",
  });
}

/** Why a login did not come about. @param presented the host's key in wire form, where it came that far */
export function refusedLogin(asked: Asked, error: ConnectError, presented: Buffer | undefined): SlipwayError {
  const { name, host, port, user, hostKeys } = asked;
  const base64 = presented?.toString("base64");
  const foreign = base64 !== undefined && !hostKeys.some((key) => key.base64 === base64);
  if (foreign || /no matching host key/i.test(error.message)) {
    const pinned = hostKeys.map((key) => fingerprintOf(Buffer.from(key.base64, "base64")));
    const shown = presented === undefined ? "none of a pinned kind" : fingerprintOf(presented);
    return new SlipwayError("E_HOST_KEY", `${name} at ${host} presents another host key than the pinned one`, {
      details: [`presented: ${shown}`, `pinned:    ${pinned.join(", ")}`],
      hint: "Unless somebody changed the host's keys, somebody stands between you and it. See the error's page.",
      cause: error,
    });
  }
  if (error.level === "client-authentication") {
    return new SlipwayError("E_SSH", `${name} does not let in ${user} with the keys at hand`, {
      hint: "Check `sshUser` in the stack's file: it is the login name that the image's cloud-init makes.",
      cause: error,
    });
  }
  return unreachable(`${name} does not answer to SSH at ${host}:${port}: ${error.message}`, error);
}
