import type { Socket } from "node:net";
import { messageOf } from "../../common/errors.ts";
import { type Place, UnderWay } from "../../common/under-way.ts";
import { joined } from "../runtime/batcher.ts";
import {
  encodeFrame,
  encodeTensors,
  type Frame,
  FrameError,
  FrameKind,
  FrameReader,
  jsonIn,
  PROTOCOL,
  type Timing,
  tensorsIn,
} from "../runtime/frames.ts";
import {
  type Hello,
  helloSchema,
  type Refusal,
  type RuntimeModel,
  refusalSchema,
  runtimeModelsSchema,
  type SyncResult,
  syncResultSchema,
} from "../runtime/hello.ts";
import type { RawTensor } from "../tensors/raw-tensor.ts";
import { openSocket, type RuntimeAddress } from "./address.ts";
import { answersOf } from "./gathering.ts";
import { type Answer, type Question, RuntimeError, rowsOf } from "./question.ts";

/** A runtime that is there: who it is, and what it serves now. */
export interface Connected {
  hello: Omit<Hello, "models" | "protocol">;
  models: RuntimeModel[];
}

export interface LinkOptions {
  /** Where the runtime is asked. */
  socket: RuntimeAddress;
  /** Called when a runtime is connected, when it serves something else, when it takes no more questions, and when it is lost. */
  onChange: () => void;
  /**
   * Called with questions that the runtime will not answer although another one, or the same one later, may. `lost`: the runtime went
   * away; else it does not have the model any more.
   */
  onReturn: (questions: Question[], lost: boolean) => void;
}

interface Flight {
  id: number;
  questions: Question[];
  rows: number;
}

interface Command {
  resolve: (result: SyncResult) => void;
  reject: (error: RuntimeError) => void;
}

const FIRST_PAUSE_MS = 20;
/** A runtime that is back is found within this. */
export const LONGEST_PAUSE_MS = 500;
const GREETING_MS = 2000;

/** A connection to one runtime that renews itself for as long as the link is open. */
export class RuntimeLink {
  readonly #options: LinkOptions;
  readonly #flights = new UnderWay<Flight>();
  readonly #commands = new Map<number, Command>();
  #socket: Socket | undefined;
  #connected: Connected | undefined;
  #draining = false;
  #rows = 0;
  #nextId = 1;
  #pauseMs = FIRST_PAUSE_MS;
  #reconnect: NodeJS.Timeout | undefined;
  #closed = false;
  #problem: string | undefined;
  readonly address: RuntimeAddress;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.address = options.socket;
    this.#connect();
  }

  /** The runtime that takes questions; undefined while there is none, or while it is on its way out. */
  get connected(): Connected | undefined {
    return this.#draining ? undefined : this.#connected;
  }

  /** Why there is no runtime: what ended the last connection, or the last try to have one. */
  get problem(): string | undefined {
    return this.#connected ? undefined : this.#problem;
  }

  /** Rows that it was asked for and has not answered. */
  get rows(): number {
    return this.#rows;
  }

  /** Asks for predictions by the model in this slot, in one frame. Whoever asked is told by the questions themselves. */
  send(slot: number, questions: Question[]): void {
    const id = this.#takeId();
    const rows = rowsOf(questions);
    const worker = this.#connected?.hello.worker;
    for (const question of questions) question.worker = worker;
    this.#flights.add({ id, questions, rows });
    this.#rows += rows;
    this.#socket?.write(encodeTensors(FrameKind.predict, id, slot, joined(questions)));
  }

  /** Forgets those of these questions that it was asked, so that another runtime can be. An answer that still comes is of no use. */
  takeBack(overdue: (question: Question) => boolean): Question[] {
    const taken: Question[] = [];
    for (const flight of this.#flights.places()) {
      if (!flight.item.questions.some(overdue)) continue;
      this.#land(flight);
      taken.push(...flight.item.questions);
    }
    return taken;
  }

  /** Has the runtime serve what the registry names now. Rejects with {@link RuntimeError} `unavailable` when it goes away meanwhile. */
  sync(): Promise<SyncResult> {
    if (!this.#connected) return Promise.reject(new RuntimeError("unavailable", "the runtime is not there"));
    const id = this.#takeId();
    return new Promise((resolve, reject) => {
      this.#commands.set(id, { resolve, reject });
      this.#socket?.write(encodeFrame(FrameKind.command, id, { command: "sync" }));
    });
  }

  /** Whether the connection has ended for good. */
  get closed(): boolean {
    return this.#closed && this.#socket === undefined;
  }

  /** Takes no more questions and ends once those that it has are answered. */
  retire(): void {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    if (this.#connected === undefined) this.#socket?.destroy();
    this.#draining = true;
    this.#hangUpWhenAnswered();
  }

  /** Ends the connection; what is under way is returned. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = openSocket(this.address);
    const reader = new FrameReader();
    this.#socket = socket;
    const greeting = setTimeout(() => socket.destroy(new Error("it does not greet")), GREETING_MS);
    let problem = hangUpOf(this.address);
    socket.on("error", (error) => {
      problem = reasonOf(error); // "close" follows, and is what counts
    });
    socket.on("data", (chunk) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (frame.kind === FrameKind.hello) clearTimeout(greeting);
          this.#receive(frame);
        }
      } catch (error) {
        socket.destroy(error as Error); // whatever is there is no runtime of ours; "close" says so to everyone who waits
      }
    });
    socket.on("close", () => {
      clearTimeout(greeting);
      this.#problem = problem;
      this.#lose();
    });
  }

  #receive(frame: Frame): void {
    switch (frame.kind) {
      case FrameKind.hello: {
        const { models, protocol, ...hello } = helloSchema.parse(jsonIn(frame.body));
        if (protocol !== PROTOCOL) {
          throw new FrameError(`the runtime speaks version ${protocol} of the frames, not ${PROTOCOL}`);
        }
        this.#connected = { hello, models };
        this.#pauseMs = FIRST_PAUSE_MS;
        this.#options.onChange();
        break;
      }
      case FrameKind.models:
        if (!this.#connected) throw new FrameError("a runtime that has not greeted");
        this.#connected = { ...this.#connected, models: runtimeModelsSchema.parse(jsonIn(frame.body)) };
        this.#options.onChange();
        break;
      case FrameKind.draining:
        this.#draining = true;
        this.#hangUpWhenAnswered();
        this.#options.onChange();
        break;
      case FrameKind.result:
        this.#commandOf(frame.id)?.resolve(syncResultSchema.parse(jsonIn(frame.body)));
        break;
      case FrameKind.predictions:
        this.#answer(frame.id, tensorsIn(frame.body), frame.timing);
        break;
      case FrameKind.failure:
        this.#refuse(frame.id, refusalSchema.parse(jsonIn(frame.body)));
        break;
      default:
        throw new FrameError(`a runtime sends no frames of kind ${frame.kind}`);
    }
  }

  #answer(id: number, outputs: RawTensor[], timing: Timing): void {
    const flight = this.#flightOf(id);
    if (!flight) return; // it was taken back
    const { questions } = flight.item;
    // Before anything is settled: an answer that makes no sense ends the connection, and the questions must still be there to be returned.
    const answers = answersOf(outputs, questions, timing);
    this.#land(flight);
    for (const [index, { resolve }] of questions.entries()) resolve(answers[index] as Answer);
  }

  #refuse(id: number, { reason, message }: Refusal): void {
    const flight = this.#flightOf(id);
    if (!flight) return;
    const { questions } = flight.item;
    this.#land(flight);
    if (reason === "gone") {
      this.#options.onReturn(questions, false);
      return;
    }
    const failure = reason === "lost" ? "unavailable" : reason;
    for (const { reject } of questions) reject(new RuntimeError(failure, message, reason === "lost"));
  }

  /** A few are under way at a time, and the oldest is answered first. */
  #flightOf(id: number): Place<Flight> | undefined {
    return this.#flights.find((flight) => flight.id === id);
  }

  #land(flight: Place<Flight>): void {
    this.#flights.leave(flight);
    this.#rows -= flight.item.rows;
    this.#hangUpWhenAnswered();
  }

  #commandOf(id: number): Command | undefined {
    const command = this.#commands.get(id);
    this.#commands.delete(id);
    return command;
  }

  #hangUpWhenAnswered(): void {
    if (this.#draining && this.#flights.size === 0) this.#socket?.end();
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_ffff) + 1;
    return id;
  }

  #lose(): void {
    const lost = [...this.#flights.places()];
    const returned = lost.flatMap(({ item }) => item.questions);
    this.#connected = undefined;
    this.#draining = false;
    this.#socket = undefined;
    for (const flight of lost) this.#flights.leave(flight);
    this.#rows = 0;
    for (const id of [...this.#commands.keys()]) {
      this.#commandOf(id)?.reject(new RuntimeError("unavailable", "the runtime went away"));
    }
    if (!this.#closed) {
      // Half of the pause is random, so that the processes of a host do not come back all at once.
      this.#reconnect = setTimeout(() => this.#connect(), this.#pauseMs * (0.5 + Math.random() / 2));
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    }
    this.#options.onChange();
    if (returned.length > 0) this.#options.onReturn(returned, true);
  }
}

/** What an end without an error says: in TLS 1.3 a server that does not take the client's certificate just ends. */
function hangUpOf(address: RuntimeAddress): string {
  const isSecured = typeof address !== "string" && address.tls !== undefined;
  return isSecured ? "it hung up, as on those whose certificate it does not accept" : "it hung up";
}

/** Without the advice to trust more authorities, which Node has for all callers. */
function reasonOf(error: Error): string {
  return messageOf(error).replace(/; if the root CA is installed.*/, "");
}
