import type { Readable, Writable } from "node:stream";
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
 * @returns what it wrote to stdout; nothing where that goes to an output
 * @throws RemoteCommandError; SlipwayError E_SSH when the connection breaks; whatever ends the output early
 */
export async function outcomeOf(
  channel: ClientChannel,
  { input, output }: { input: Readable | string; output: Writable | undefined },
  until: AbortSignal,
): Promise<string> {
  const abandon = () => channel.destroy();
  until.addEventListener("abort", abandon, { once: true });
  try {
    const ended = Promise.all([outputOf(channel, output), feed(channel, input)]);
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

async function outputOf(channel: ClientChannel, output: Writable | undefined): Promise<string> {
  if (output === undefined) return textOf(channel);
  // an output that ends early, on a full disk say, destroys the channel: its own reason is told first
  const passedOn = pipeline(channel, output);
  await Promise.all([passedOn, endOf(channel)]);
  return "";
}

async function textOf(channel: ClientChannel): Promise<string> {
  let stdout = "";
  channel.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  await endOf(channel);
  return stdout;
}

/** Resolves when the command has ended well. */
function endOf(channel: ClientChannel): Promise<void> {
  let stderr = "";
  let exit: { status: number | undefined } | undefined;
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
      else if (exit.status === 0) resolve();
      else reject(new RemoteCommandError(exit.status, stderr));
    });
  });
}
