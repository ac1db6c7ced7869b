import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { Transform } from "node:stream";
import ssh2 from "ssh2";
import type { HostKey } from "../../src/remote/host-keys.ts";
import { makeKeyPair } from "../../src/remote/key-pair.ts";

const OUTLIVING_MS = 1000;

/** How a test's host behaves. */
interface HostOptions {
  /** Login keys that are let in, as public lines; everybody's unless given. */
  authorized?: string[];
  /** What happens to a command before a shell runs it. */
  rewrite?: (command: string) => string;
  /** Whether it is every host that is reached through it: as a jump host and what lies behind, in one. */
  isEveryHost?: boolean;
  /** Environment of the commands. */
  env?: NodeJS.ProcessEnv;
}

/** An SSH server on 127.0.0.1 whose commands a real shell runs. */
export class SshHost {
  readonly keys: HostKey[];
  readonly commands: string[] = [];
  /** Names of those who tried to log in, with the method. */
  readonly attempts: string[] = [];
  /** Whether commands get the first 100 kB that are sent to them, and nothing after. */
  slow = false;
  readonly #server: ssh2.Server;
  readonly #connections = new Set<ssh2.Connection>();

  private constructor(options: HostOptions) {
    const pair = makeKeyPair();
    const [type = "", base64 = ""] = pair.public.split(" ");
    this.keys = [{ type, base64 }];
    this.#server = new ssh2.Server({ hostKeys: [pair.private] }, (client) => {
      this.#connections.add(client);
      client.on("close", () => this.#connections.delete(client));
      client.on("error", () => undefined);
      client.on("authentication", (context) => {
        this.attempts.push(`${context.username} ${context.method}`);
        if (context.method === "publickey" && isAuthorized(context, options.authorized)) context.accept();
        else context.reject(["publickey"]);
      });
      client.on("session", (accept) => this.#serve(accept(), options));
      client.on("tcpip", (accept, _reject, { destIP, destPort }) => {
        const channel = accept();
        const socket = options.isEveryHost ? connect(this.port, "127.0.0.1") : connect(destPort, destIP);
        socket.on("error", () => channel.end());
        channel.on("error", () => socket.destroy());
        channel.pipe(socket).pipe(channel);
      });
    });
  }

  static async start(options: HostOptions = {}): Promise<SshHost> {
    const host = new SshHost(options);
    host.#server.listen(0, "127.0.0.1");
    await once(host.#server, "listening");
    return host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks every connection, without a farewell. */
  cut(): void {
    for (const client of this.#connections) (client as unknown as { _sock: { destroy(): void } })._sock.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(session: ssh2.Session, { rewrite = (command) => command, env = process.env }: HostOptions): void {
    session.on("exec", (accept, _reject, { command }) => {
      this.commands.push(command);
      const channel = accept();
      const child = spawn("sh", ["-c", rewrite(command)], { env });
      // as with OpenSSH: a command outlives its connection, but has nothing to read any more
      channel.on("close", () => child.stdin.end());
      channel.on("close", () => setTimeout(() => child.kill("SIGKILL"), OUTLIVING_MS).unref());
      child.stdin.on("error", () => undefined); // the command read as much as it wanted
      if (this.slow) channel.stdin.pipe(firstBytes(100_000)).pipe(child.stdin);
      else channel.stdin.pipe(child.stdin);
      child.stdout.pipe(channel.stdout, { end: false });
      child.stderr.pipe(channel.stderr, { end: false });
      child.on("close", (status) => {
        channel.exit(status ?? 255);
        channel.end();
      });
    });
  }
}

/** Lets so many bytes through, and then holds everything up. */
function firstBytes(count: number): Transform {
  let left = count;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      this.push(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left > 0) done();
    },
  });
}

function isAuthorized(context: ssh2.PublicKeyAuthContext, authorized: string[] | undefined): boolean {
  if (authorized === undefined) return true;
  return authorized.some((line) => {
    const key = ssh2.utils.parseKey(line);
    return !(key instanceof Error) && !Array.isArray(key) && key.getPublicSSH().equals(context.key.data);
  });
}
