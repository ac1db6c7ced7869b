import { chmod, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { Batcher, type BatchLimits, OverloadError } from "./batcher.ts";
import { bodyOf, encodeFrame, type Frame, FrameError, FrameKind, FrameReader, floatsIn, jsonBody } from "./frames.ts";
import type { Hello, Refusal } from "./hello.ts";

/** Answers that a peer leaves unread; with more it is cut off. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

export interface RuntimeServerOptions {
  /** Path of the unix socket; a file left there by a dead runtime is replaced. Owner and group may connect. */
  socket: string;
  hello: Hello;
  compute: (values: Float32Array, rows: number) => Promise<Float32Array>;
  limits: BatchLimits;
  log: Logger;
}

/** Serves a model on a unix socket (frames.ts) until `close`, which answers what has arrived and then hangs up. */
export async function serveRuntime(options: RuntimeServerOptions): Promise<{ close: () => Promise<void> }> {
  const { socket: path, hello, compute, limits, log } = options;
  const batcher = new Batcher(compute, limits);
  const peers = new Set<Socket>();
  const greeting = encodeFrame({ kind: FrameKind.hello, id: 0, rows: 0, body: jsonBody(hello) });
  const server = createServer((peer) => {
    peers.add(peer.on("close", () => peers.delete(peer)));
    peer.on("error", (error) => log.warn({ err: error }, "connection broke"));
    peer.write(greeting);
    const reader = new FrameReader();
    peer.on("data", (chunk) => {
      try {
        for (const frame of reader.push(chunk)) {
          answer(frame, hello.card.input.features, batcher)
            .then((reply) => send(peer, reply))
            .catch((error: unknown) => peer.destroy(error as Error));
        }
      } catch (error) {
        peer.destroy(error as Error);
      }
    });
  });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
  server.on("error", (error) => log.error({ err: error }, "cannot accept connections"));
  await chmod(path, 0o660);
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await batcher.drain();
      for (const peer of peers) peer.end(() => peer.destroy());
      await closed;
    },
  };
}

async function answer({ kind, id, rows, body }: Frame, features: number, batcher: Batcher): Promise<Frame> {
  if (kind !== FrameKind.predict) throw new FrameError(`a runtime does not answer frames of kind ${kind}`);
  const refuse = (refusal: Refusal) => ({ kind: FrameKind.failure, id, rows: 0, body: jsonBody(refusal) });
  if (rows === 0 || body.byteLength !== rows * features * Float32Array.BYTES_PER_ELEMENT) {
    return refuse({
      reason: "invalid",
      message: `${body.byteLength} bytes are not ${rows} rows of ${features} numbers`,
    });
  }
  try {
    const outputs = await batcher.submit(floatsIn(body), rows);
    return { kind: FrameKind.predictions, id, rows, body: bodyOf(outputs) };
  } catch (error) {
    return refuse({ reason: error instanceof OverloadError ? "overloaded" : "failed", message: messageOf(error) });
  }
}

function send(peer: Socket, frame: Frame): void {
  if (peer.destroyed) return;
  peer.write(encodeFrame(frame));
  if (peer.writableLength > MAX_UNREAD_BYTES) peer.destroy(new Error("the peer does not read its answers"));
}
