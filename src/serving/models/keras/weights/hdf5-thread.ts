import { open } from "node:fs/promises";
import { basename } from "node:path";
import { Worker } from "node:worker_threads";
import { messageOf } from "../../../../common/errors.ts";
import { invalid } from "../errors.ts";
import type { KerasHdf5 } from "./keras-hdf5.ts";

/** Asks the thread to read a file. */
export interface ReadRequest {
  path: string;
  /** What the file is called in errors. */
  name: string;
}

/** What the thread answers: the file, or why it cannot be read. */
export type ReadAnswer = { file: KerasHdf5 } | { failure: string };

const HDF5_SIGNATURE = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");
/** A file that takes longer is one that leads libhdf5 round in circles. */
const PATIENCE_MS = 30_000;
const PATIENCE_MS_PER_BYTE = 1 / 1024;
/** A thread that has read its file well waits so long for another. */
const IDLE_MS = 5_000;

let idle: Worker | undefined;

/**
 * Reads an HDF5 file of Keras 2 or 3: a whole model, or weights alone. libhdf5 runs in a thread of its own, which is given up with a
 * file that it cannot read: a damaged file can make it crash, never come back, or misread the next one.
 * @param name what the file is called in errors
 * @throws SlipwayError E_MODEL_INVALID when it is none, or damaged
 */
export async function readKerasHdf5(path: string, name = basename(path)): Promise<KerasHdf5> {
  const patience = PATIENCE_MS + (await requireHdf5(path, name)) * PATIENCE_MS_PER_BYTE;
  const worker = idle ?? startThread();
  idle = undefined;
  try {
    const answer = await answerTo(worker, { path, name }, patience);
    if ("failure" in answer) throw invalid(answer.failure);
    keepForAWhile(worker);
    return answer.file;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/** The file that runs as the thread: the source, or on a host the bundle beside the one that this is in. */
function threadFile(): URL {
  const here = import.meta.url;
  if (here.endsWith(".ts")) return new URL("../../../main-keras.ts", here);
  return new URL(/\/main-[a-z-]+\.mjs$/.test(here) ? "./main-keras.mjs" : "./keras.mjs", here);
}

function startThread(): Worker {
  // What libhdf5 prints of its failures is in the error as well. It is not read: whoever reads it keeps this process from ending.
  return new Worker(threadFile(), { env: {}, execArgv: [], stdout: true, stderr: true });
}

function answerTo(worker: Worker, request: ReadRequest, patience: number): Promise<ReadAnswer> {
  return new Promise((resolve, reject) => {
    const failed = (reason: string) => () => settle(() => reject(invalid(`${request.name} cannot be read: ${reason}`)));
    const listeners = {
      message: (answer: ReadAnswer) => settle(() => resolve(answer)),
      error: (error: unknown) => failed(messageOf(error))(),
      exit: failed("reading it ended the thread"),
    };
    const timer = setTimeout(failed("reading it does not come to an end"), patience);
    const settle = (how: () => void) => {
      clearTimeout(timer);
      for (const [event, listener] of Object.entries(listeners)) worker.off(event, listener);
      how();
    };
    for (const [event, listener] of Object.entries(listeners)) worker.on(event, listener);
    worker.ref();
    worker.postMessage(request);
  });
}

/** The thread waits for another file, without keeping the process from ending. */
function keepForAWhile(worker: Worker): void {
  if (idle !== undefined) {
    void worker.terminate();
    return;
  }
  idle = worker;
  worker.unref();
  const timer = setTimeout(() => {
    if (idle !== worker) return; // it is reading
    idle = undefined;
    void worker.terminate();
  }, IDLE_MS);
  timer.unref();
}

/** @returns the file's length in bytes */
async function requireHdf5(path: string, name: string): Promise<number> {
  const file = await open(path, "r");
  try {
    const start = Buffer.alloc(HDF5_SIGNATURE.length);
    await file.read(start, 0, start.length, 0);
    if (!start.equals(HDF5_SIGNATURE)) throw invalid(`${name} cannot be read: it is no HDF5 file`);
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}
