import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { UnderWay } from "../../common/under-way.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import { OverloadError } from "./batcher.ts";
import { misfitOf, rowsIn } from "./fitting.ts";
import {
  encodeFrame,
  encodeTensors,
  type Frame,
  FrameError,
  FrameKind,
  FrameReader,
  jsonIn,
  PROTOCOL,
  tensorsIn,
} from "./frames.ts";
import { commandSchema, type Hello, type Refusal, type SyncResult } from "./hello.ts";
import type { Identity } from "./identity.ts";
import type { ModelSet } from "./model-set.ts";
import { RejectedInputError } from "./rejected-input.ts";

/** Answers that a peer leaves unread; with more it is cut off. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** A peer that was told of the end and has no answers to come hangs up at once; one that does not is hung up on. */
const HANG_UP_MS = 1000;
const LOOK_MS = 5;
/** Peers at one time, on each of the ways; a host has a few processes. */
const MOST_PEERS = 512;
const HANDSHAKE_MS = 5000;

export interface RuntimeServerOptions {
  /** Path of the unix socket; a file left there by a dead runtime is replaced. Owner and group may connect. */
  socket: string;
  /** Where else it listens: with an identity for those who have one of the same authority, else in the clear. */
  tcp?: { host: string; port: number; tls?: Identity };
  /** Who the runtime is, but for its models. */
  hello: Omit<Hello, "models" | "protocol">;
  models: ModelSet;
  /** Serves what the registry names now. */
  sync: () => Promise<SyncResult>;
  /** Stands around the computation of every answer. */
  answering?: (question: Frame, compute: () => Promise<Buffer>) => Promise<Buffer>;
  /** Told of every question that was answered, well or not. */
  onAnswer?: () => void;
  log: Logger;
}

/** A runtime that serves. */
export interface RuntimeServer {
  /** Answers what has arrived, and then hangs up. Peers are told first, so that they ask others. */
  close: () => Promise<void>;
}

/** Serves models on a unix socket, and on a port where one is named (frames.ts), until `close`. */
export async function serveRuntime(options: RuntimeServerOptions): Promise<RuntimeServer> {
  const { socket: path, models, log, answering = (_question, compute) => compute() } = options;
  const peers = new Set<Socket>();
  const working = new UnderWay<Promise<void>>();
  const sync = async () => {
    const result = await options.sync();
    for (const peer of peers) peer.write(encodeFrame(FrameKind.models, 0, models.models));
    return result;
  };
  const accept = (peer: Socket) => {
    peers.add(peer.on("close", () => peers.delete(peer)));
    peer.on("error", (error) => log.warn({ err: error }, "connection broke"));
    peer.write(
      encodeFrame(FrameKind.hello, 0, { ...options.hello, protocol: PROTOCOL, models: models.models } satisfies Hello),
    );
    const reader = new FrameReader();
    peer.on("data", (chunk) => {
      try {
        for (const frame of reader.push(chunk)) {
          const work = answering(frame, () => answer(frame, models, sync))
            .then((reply) => {
              send(peer, reply);
              if (frame.kind === FrameKind.predict) options.onAnswer?.();
            })
            .catch((error: unknown) => void peer.destroy(error as Error))
            .finally(() => working.leave(place));
          const place = working.add(work);
        }
      } catch (error) {
        peer.destroy(error as Error);
      }
    });
  };
  const servers = [createServer(accept)];
  if (options.tcp) servers.push(networkServer(options.tcp, accept, log));
  await rm(path, { force: true });
  await Promise.all(
    servers.map((server, index) => listening(server, index === 0 ? { path } : (options.tcp as object))),
  );
  for (const server of servers) server.on("error", (error) => log.error({ err: error }, "cannot accept connections"));
  await chmod(path, 0o660);
  return {
    close: async () => {
      const closed = Promise.all(
        servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
      );
      for (const peer of peers) peer.write(encodeFrame(FrameKind.draining, 0));
      // peers hang up once they have their answers; what they sent before they heard of it is still answered
      const patience = performance.now() + HANG_UP_MS;
      while (working.size > 0 || (peers.size > 0 && performance.now() < patience)) {
        await (working.size > 0 ? Promise.all(working.items()) : sleep(LOOK_MS));
      }
      for (const peer of peers) peer.end(() => peer.destroy());
      await closed;
    },
  };
}

/** A server on the network. Whoever is not of the same authority does not get to say anything. */
function networkServer(
  { tls }: NonNullable<RuntimeServerOptions["tcp"]>,
  accept: (peer: Socket) => void,
  log: Logger,
): Server {
  const server = tls
    ? createTlsServer(
        { ...tls, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3", handshakeTimeout: HANDSHAKE_MS },
        accept,
      )
    : createServer(accept);
  server.maxConnections = MOST_PEERS;
  return server
    .on("connection", (peer: Socket) => peer.setNoDelay(true))
    .on("tlsClientError", (error: Error) => log.warn({ reason: error.message }, "a peer was turned away"));
}

function listening(server: Server, where: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function answer(frame: Frame, models: ModelSet, sync: () => Promise<SyncResult>): Promise<Buffer> {
  const { kind, id } = frame;
  if (kind === FrameKind.predict) return predict(frame, models);
  if (kind === FrameKind.command) {
    commandSchema.parse(jsonIn(frame.body));
    return encodeFrame(FrameKind.result, id, await sync());
  }
  throw new FrameError(`a runtime does not answer frames of kind ${kind}`);
}

/** The frame that answers a question: the outputs, or why there are none. */
export async function predict(
  { id, slot, body }: Pick<Frame, "id" | "slot" | "body">,
  models: ModelSet,
): Promise<Buffer> {
  const refuse = (refusal: Refusal) => encodeFrame(FrameKind.failure, id, refusal);
  const model = models.find(slot);
  if (model === undefined) return refuse({ reason: "gone", message: "the model was exchanged" });
  let inputs: RawTensor[];
  try {
    inputs = tensorsIn(body);
  } catch (error) {
    return refuse({ reason: "invalid", message: messageOf(error) });
  }
  const misfit = misfitOf(model.card, inputs);
  if (misfit !== undefined) return refuse({ reason: "invalid", message: misfit });
  try {
    const { outputs, timing } = await model.batcher.submit({ inputs, rows: rowsIn(model.card, inputs) });
    return encodeTensors(FrameKind.predictions, id, slot, outputs, timing);
  } catch (error) {
    return refuse({ reason: reasonOf(error), message: messageOf(error) });
  }
}

function reasonOf(error: unknown): Refusal["reason"] {
  if (error instanceof OverloadError) return "overloaded";
  return error instanceof RejectedInputError ? "rejected" : "failed";
}

function send(peer: Socket, bytes: Buffer): void {
  if (peer.destroyed) return;
  peer.write(bytes);
  if (peer.writableLength > MAX_UNREAD_BYTES) peer.destroy(new Error("the peer does not read its answers"));
}
