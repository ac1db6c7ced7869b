import type { Duplex, Readable, Writable } from "node:stream";
import type { AnyAuthMethod, Client, ClientChannel, ServerHostKeyAlgorithm } from "ssh2";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { outcomeOf } from "./command.ts";
import { refusedLogin, unpinned, unreachable } from "./errors.ts";
import type { HostKey } from "./host-keys.ts";

/** A host to log in to. */
export interface SshTarget {
  host: string;
  port: number;
  user: string;
  /** What users call it, for messages. */
  name: string;
  /** The host must present one of these. */
  hostKeys: HostKey[];
  /** Tried in order. */
  identities: SshIdentity[];
  /** Log in from there instead of from this machine. */
  through?: SshConnection | undefined;
}

/** A private key in OpenSSH or PEM form, or the socket of an agent. */
export type SshIdentity = { key: string } | { agent: string };

/** How a command on a host is run. */
export interface RemoteCommandOptions {
  /** What the command reads. */
  input?: Readable | string;
  /** Where its stdout goes, byte for byte, in place of the answer, which is empty then. */
  output?: Writable;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 60_000;
const KEEPALIVE_MS = 5000;
/** So many unanswered keepalives end a connection. */
const LONGEST_SILENCE = 6;

/** A logged-in connection to a host whose key is the pinned one. */
export class SshConnection {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Runs a command with the login shell.
   * @returns what it wrote to stdout
   * @throws RemoteCommandError for a status that is not 0; SlipwayError E_SSH for a broken connection, E_TIMEOUT
   */
  async run(command: string, options: RemoteCommandOptions = {}): Promise<string> {
    const { input = "", output, timeoutMs = COMMAND_TIMEOUT_MS, signal } = options;
    const deadline = AbortSignal.timeout(timeoutMs);
    const end = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    try {
      // within the callback: a short command's end may be in the same packet as its beginning
      return await this.#open(
        (done) => this.#client.exec(command, done),
        (channel) => outcomeOf(channel, { input, output }, end),
      );
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.aborted) throw error;
      throw new SlipwayError("E_TIMEOUT", `a command on the host took over ${timeoutMs / 1000} s`);
    }
  }

  /** A command, or a login shell, for as long as `use` takes; on a terminal where a window is given. */
  session<T>(
    command: string | undefined,
    window: { term: string; rows: number; cols: number } | undefined,
    use: (channel: ClientChannel) => Promise<T>,
  ): Promise<T> {
    const pty = window ?? false;
    return this.#open(
      (done) => (command === undefined ? this.#client.shell(pty, done) : this.#client.exec(command, { pty }, done)),
      use,
    );
  }

  /** A TCP connection that starts from this host. */
  forward(host: string, port: number, until: AbortSignal): Promise<Duplex> {
    const late = new Promise<never>((_, reject) =>
      until.addEventListener("abort", () =>
        reject(unreachable(`${host}:${port} is not reached from the host in between`)),
      ),
    );
    const opened = this.#open(
      (done) => this.#client.forwardOut("127.0.0.1", 0, host, port, done),
      async (channel) => {
        if (until.aborted) channel.destroy(); // nobody waits for it any more
        return channel;
      },
    );
    return Promise.race([opened, late]);
  }

  close(): void {
    this.#client.end();
  }

  #open<T>(
    start: (done: (error: Error | undefined, channel: ClientChannel) => void) => unknown,
    use: (channel: ClientChannel) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const refused = (error: unknown) => reject(unreachable(`the connection is closed: ${messageOf(error)}`, error));
      const gone = () => reject(unreachable("the connection is closed"));
      this.#client.once("close", gone);
      try {
        start((error, channel) => {
          this.#client.off("close", gone);
          if (error) refused(error);
          else resolve(use(channel));
        });
      } catch (error) {
        refused(error); // ssh2 throws where the connection is gone already
      }
    });
  }
}

/**
 * Logs in to a host that presents one of its pinned keys; no other is ever accepted.
 * @throws SlipwayError E_HOST_KEY for another key, or where none is pinned; E_SSH when there is no way in, with what stands in it
 */
export async function connectSsh(target: SshTarget, signal?: AbortSignal): Promise<SshConnection> {
  const { host, port, user, name, hostKeys, through } = target;
  const algorithms = algorithmsOf(hostKeys);
  if (algorithms.length === 0) throw unpinned(name);
  const { default: ssh2 } = await import("ssh2"); // most verbs never connect
  const client = new ssh2.Client();
  let presented: Buffer | undefined;
  const deadline = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const until = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  let sock: Duplex | undefined;
  try {
    sock = await through?.forward(host, port, until);
    await new Promise<void>((resolve, reject) => {
      until.addEventListener("abort", () => reject(unreachable(`${name} does not answer to SSH at ${host}:${port}`)));
      client.once("ready", resolve);
      client.once("error", (error) => reject(refusedLogin(target, error, presented)));
      client.once("close", () => reject(unreachable(`${name} closed the connection`)));
      client.connect({
        host,
        port,
        username: user,
        readyTimeout: CONNECT_TIMEOUT_MS,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: LONGEST_SILENCE,
        algorithms: { serverHostKey: algorithms },
        hostVerifier: (blob: Buffer) => {
          presented = blob;
          return hostKeys.some(({ base64 }) => base64 === blob.toString("base64"));
        },
        authHandler: methodsOf(target),
        ...(sock === undefined ? {} : { sock }),
      });
    });
  } catch (error) {
    client.on("error", () => undefined); // what a connection that is given up on says further is of no interest
    client.destroy();
    sock?.destroy();
    signal?.throwIfAborted();
    throw error;
  }
  // a failure ends the channels, and so is told to whoever uses them; the event itself has nobody else to tell
  client.on("error", () => client.end());
  return new SshConnection(client);
}

/** How keys of a type are used; types that a `known_hosts` file may have and ssh2 does not know are left out. */
const signatures: Record<string, ServerHostKeyAlgorithm[]> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

function algorithmsOf(keys: HostKey[]): ServerHostKeyAlgorithm[] {
  return [...new Set(keys.flatMap(({ type }) => signatures[type] ?? []))];
}

function methodsOf({ identities, user: username }: SshTarget): AnyAuthMethod[] {
  return identities.map((identity) =>
    "key" in identity
      ? { type: "publickey", username, key: identity.key }
      : { type: "agent", username, agent: identity.agent },
  );
}
