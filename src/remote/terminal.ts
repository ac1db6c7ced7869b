import type { ClientChannel } from "ssh2";
import type { SshConnection } from "./connection.ts";
import { unreachable } from "./errors.ts";

/** Where somebody sits: this process' own streams, or what stands for them in a test. */
export interface Seat {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WritableStream;
  env: NodeJS.ProcessEnv;
}

/** Who sits there, and until when. */
interface Sitting extends Seat {
  signal: AbortSignal;
}

/**
 * Connects a seat with a command on a host, or with a login shell: on a terminal of the seat's size where it has one.
 * @returns the command's exit status; 128 for one that a signal ended
 * @throws SlipwayError E_SSH when the connection breaks
 */
export function sitAt(
  connection: SshConnection,
  command: string | undefined,
  { stdin, stdout, stderr, env }: Seat,
  signal: AbortSignal,
): Promise<number> {
  const seat: Sitting = { stdin, stdout, stderr, env, signal };
  const isTerminal = stdin.isTTY === true && stdout.isTTY === true;
  const window = { term: env.TERM ?? "vt100", rows: stdout.rows ?? 24, cols: stdout.columns ?? 80 };
  return connection.session(command, isTerminal && command === undefined ? window : undefined, (channel) =>
    isTerminal && command === undefined ? onTerminal(channel, seat) : throughPipes(channel, seat),
  );
}

/** Every key goes to the host, Ctrl-C as well; its terminal follows this one's size. */
async function onTerminal(channel: ClientChannel, seat: Sitting): Promise<number> {
  const { stdin, stdout } = seat;
  const resize = () => channel.setWindow(stdout.rows, stdout.columns, 0, 0);
  stdout.on("resize", resize);
  stdin.setRawMode(true);
  try {
    return await throughPipes(channel, seat);
  } finally {
    stdout.off("resize", resize);
    stdin.setRawMode(false);
  }
}

async function throughPipes(channel: ClientChannel, { stdin, stdout, stderr, signal }: Sitting): Promise<number> {
  const leave = () => channel.destroy();
  signal.addEventListener("abort", leave, { once: true });
  channel.pipe(stdout, { end: false });
  channel.stderr.pipe(stderr, { end: false });
  stdin.pipe(channel);
  try {
    return await exitStatusOf(channel);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", leave);
    stdin.unpipe(channel);
    stdin.pause(); // a stream that is read keeps the process alive
  }
}

const SIGNAL_BASE = 128;

function exitStatusOf(channel: ClientChannel): Promise<number> {
  let status: number | undefined;
  channel.on("exit", (code: number | null) => {
    status = code ?? SIGNAL_BASE;
  });
  return new Promise((resolve, reject) => {
    channel.on("error", reject);
    channel.on("close", () => (status === undefined ? reject(unreachable("the connection broke")) : resolve(status)));
  });
}
