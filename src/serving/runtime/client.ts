import { connect, type Socket } from "node:net";
import { outputWidth } from "../models/card.ts";
import { joined } from "./batcher.ts";
import {
  bodyOf,
  encodeFrame,
  type Frame,
  FrameError,
  FrameKind,
  FrameReader,
  floatsIn,
  jsonIn,
  MAX_FRAME_BYTES,
} from "./frames.ts";
import { type Hello, helloSchema, type Refusal, refusalSchema } from "./hello.ts";

/** `unavailable`: no runtime is connected, or it went away. `deadline`: it did not answer in time. Others: see {@link Refusal}. */
export type RuntimeFailure = "unavailable" | "deadline" | Refusal["reason"];

/** Why rows were not computed. Predictions are pure: asking again is always safe. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  readonly reason: RuntimeFailure;

  constructor(reason: RuntimeFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface RuntimeClientOptions {
  /** Path of the runtime's unix socket. */
  socket: string;
  /** Milliseconds from asking to the answer. */
  deadlineMs: number;
  /** Rows under way at a time; more are refused as `overloaded`. */
  inFlightRows: number;
  /** Called when a runtime is connected, and when it is lost. */
  onChange?: (hello: Hello | undefined) => void;
}

/** Raw outputs, and the model that computed them. */
export interface RuntimeAnswer {
  outputs: Float32Array;
  hello: Hello;
}

interface Question {
  values: Float32Array;
  rows: number;
  resolve: (answer: RuntimeAnswer) => void;
  reject: (error: RuntimeError) => void;
}

interface Flight {
  questions: Question[];
  timer: NodeJS.Timeout;
}

/** A frame takes further questions up to here; a quarter of what a runtime accepts. */
const FULL_FRAME_BYTES = MAX_FRAME_BYTES / 4;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
const GREETING_MS = 2000;

/**
 * A connection to a runtime that renews itself for as long as the client is open. Rows that are asked for in one turn of the event loop
 * travel in one frame.
 */
export class RuntimeClient {
  readonly #options: RuntimeClientOptions;
  readonly #flights = new Map<number, Flight>();
  #socket: Socket | undefined;
  #hello: Hello | undefined;
  #lastHello: Hello | undefined;
  #gathering: Question[] = [];
  #rows = 0;
  #nextId = 1;
  #pauseMs = FIRST_PAUSE_MS;
  #reconnect: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: RuntimeClientOptions) {
    this.#options = options;
    this.#connect();
  }

  /** What the connected runtime serves; undefined while there is none. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  /** What the runtime served when it was last there. */
  get lastHello(): Hello | undefined {
    return this.#lastHello;
  }

  /** The outputs of these rows, row after row. Rejects with {@link RuntimeError}. */
  predict(values: Float32Array, rows: number): Promise<RuntimeAnswer> {
    if (!this.#hello) return Promise.reject(new RuntimeError("unavailable", "the model runtime is not there"));
    if (values.byteLength > FULL_FRAME_BYTES) {
      return Promise.reject(new RuntimeError("invalid", `${rows} rows are too many to ask for at once`));
    }
    if (this.#rows + rows > this.#options.inFlightRows) {
      return Promise.reject(new RuntimeError("overloaded", `${this.#rows} rows are under way`));
    }
    this.#rows += rows;
    return new Promise<RuntimeAnswer>((resolve, reject) => {
      if (this.#gathering.length === 0) setImmediate(() => this.#flush());
      this.#gathering.push({ values, rows, resolve, reject });
    }).finally(() => {
      this.#rows -= rows;
    });
  }

  /** Ends the connection; what is under way fails as `unavailable`. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    this.#socket?.destroy();
  }

  #flush(): void {
    const gathered = this.#gathering;
    this.#gathering = [];
    for (const questions of framesOf(gathered)) this.#send(questions);
  }

  #send(questions: Question[]): void {
    const socket = this.#socket;
    if (!this.#hello || !socket) {
      fail(questions, new RuntimeError("unavailable", "the model runtime went away"));
      return;
    }
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_ffff) + 1;
    const { deadlineMs } = this.#options;
    const timer = setTimeout(() => {
      this.#flights.delete(id);
      fail(questions, new RuntimeError("deadline", `the model runtime did not answer within ${deadlineMs} ms`));
    }, deadlineMs);
    this.#flights.set(id, { questions, timer });
    socket.write(
      encodeFrame({ kind: FrameKind.predict, id, rows: rowsIn(questions), body: bodyOf(joined(questions)) }),
    );
  }

  #connect(): void {
    const socket = connect(this.#options.socket);
    const reader = new FrameReader();
    this.#socket = socket;
    const greeting = setTimeout(() => socket.destroy(), GREETING_MS);
    socket.on("error", () => undefined); // "close" follows, and is what counts
    socket.on("data", (chunk) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (frame.kind === FrameKind.hello) clearTimeout(greeting);
          this.#receive(frame);
        }
      } catch {
        socket.destroy(); // whatever is there is no runtime of ours; "close" says so to everyone who waits
      }
    });
    socket.on("close", () => {
      clearTimeout(greeting);
      this.#lose();
    });
  }

  #receive({ kind, id, body }: Frame): void {
    if (kind === FrameKind.hello) {
      this.#hello = helloSchema.parse(jsonIn(body));
      this.#lastHello = this.#hello;
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#options.onChange?.(this.#hello);
      return;
    }
    const flight = this.#flights.get(id);
    const hello = this.#hello;
    if (!flight || !hello) return; // its deadline has passed
    // Read first: a frame that makes no sense ends the connection, and its questions must still be there to be told.
    const answer = answerIn(kind, body, flight.questions, hello);
    this.#flights.delete(id);
    clearTimeout(flight.timer);
    if (answer instanceof RuntimeError) fail(flight.questions, answer);
    else land(flight.questions, answer, hello);
  }

  #lose(): void {
    const wasThere = this.#hello !== undefined;
    this.#hello = undefined;
    this.#socket = undefined;
    for (const { questions, timer } of this.#flights.values()) {
      clearTimeout(timer);
      fail(questions, new RuntimeError("unavailable", "the model runtime went away"));
    }
    this.#flights.clear();
    if (wasThere) this.#options.onChange?.(undefined);
    if (this.#closed) return;
    // Half of the pause is random, so that the processes of a host do not come back all at once.
    this.#reconnect = setTimeout(() => this.#connect(), this.#pauseMs * (0.5 + Math.random() / 2));
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Shares a turn's questions out to as few frames as their length allows. */
function framesOf(questions: Question[]): Question[][] {
  const frames: Question[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const question of questions) {
    bytes += question.values.byteLength;
    if (bytes > FULL_FRAME_BYTES) {
      frames.push([]);
      bytes = question.values.byteLength;
    }
    frames.at(-1)?.push(question);
  }
  return frames;
}

function rowsIn(questions: Question[]): number {
  return questions.reduce((sum, { rows }) => sum + rows, 0);
}

/** What a frame answers: all the questions' outputs, or why there are none. @throws Error for what no runtime of ours sends */
function answerIn(kind: number, body: Frame["body"], questions: Question[], hello: Hello): Float32Array | RuntimeError {
  if (kind === FrameKind.failure) {
    const { reason, message } = refusalSchema.parse(jsonIn(body));
    return new RuntimeError(reason, message);
  }
  if (kind !== FrameKind.predictions) throw new FrameError(`a runtime sends no frames of kind ${kind}`);
  const outputs = floatsIn(body);
  const expected = rowsIn(questions) * outputWidth(hello.card.output);
  if (outputs.length !== expected) throw new FrameError(`${outputs.length} numbers came for ${expected}`);
  return outputs;
}

function land(questions: Question[], outputs: Float32Array, hello: Hello): void {
  const width = outputs.length / rowsIn(questions);
  let at = 0;
  for (const question of questions) {
    question.resolve({ outputs: outputs.subarray(at * width, (at + question.rows) * width), hello });
    at += question.rows;
  }
}

function fail(questions: Question[], error: RuntimeError): void {
  for (const { reject } of questions) reject(error);
}
