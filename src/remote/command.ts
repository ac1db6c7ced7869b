import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ClientChannel } from "ssh2";
import { unreachable } from "./errors.ts";

/** A command on a host ended with another status than 0, or by a signal. */
export class RemoteCommandError extends Error {
  override readonly name = "RemoteCommandError";
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;

  constructor(status: number | undefined, stderr: string) {
    super(
      stderr.trim().split("\n").at(-1) || `it ended with ${status === undefined ? "a signal" : `status ${status}`}`,
    );
    this.status = status;
  }
}

/**
 * Feeds a started command and waits for its end, or for that of `until`.
 * @returns what it wrote to stdout
 * @throws RemoteCommandError; SlipwayError E_SSH when the connection breaks
 */
export async function outcomeOf(channel: ClientChannel, input: Readable | string, until: AbortSignal): Promise<string> {
  const abandon = () => channel.destroy();
  until.addEventListener("abort", abandon, { once: true });
  try {
    const ended = Promise.all([outputOf(channel), feed(channel, input)]);
    if (until.aborted) abandon();
    const [stdout] = await ended;
    return stdout;
  } finally {
    until.removeEventListener("abort", abandon);
    abandon();
  }
}

async function feed(channel: ClientChannel, input: Readable | string): Promise<void> {
  if (typeof input === "string") {
    channel.end(input);
    return;
  }
  try {
    await pipeline(input, channel);
  } catch (error) {
    // a command that ends without reading everything tells why by its status
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}

function outputOf(channel: ClientChannel): Promise<string> {
  let stdout = "";
  let stderr = "";
  let exit: { status: number | undefined } | undefined;
  channel.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  channel.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  channel.on("exit", (status: number | null) => {
    exit = { status: status ?? undefined };
  });
  return new Promise((resolve, reject) => {
    channel.on("error", reject);
    channel.on("close", () => {
      if (exit === undefined) reject(unreachable("the connection broke while a command ran"));
      else if (exit.status === 0) resolve(stdout);
      else reject(new RemoteCommandError(exit.status, stderr));
    });
  });
}
