import { parentPort } from "node:worker_threads";
import { messageOf, SlipwayError } from "../common/errors.ts";
import type { ReadAnswer, ReadRequest } from "./models/keras/weights/hdf5-thread.ts";
import { type KerasHdf5, readKerasHdf5Here } from "./models/keras/weights/keras-hdf5.ts";

// The thread in which libhdf5 runs: reads the files that it is told to, one after the other.
parentPort?.on("message", async ({ path, name }: ReadRequest) => {
  const answer = await answerOf(path, name);
  parentPort?.postMessage(answer, "file" in answer ? buffersOf(answer.file) : []);
});

async function answerOf(path: string, name: string): Promise<ReadAnswer> {
  try {
    return { file: await readKerasHdf5Here(path, name) };
  } catch (error) {
    return { failure: error instanceof SlipwayError ? error.message : `${name} cannot be read: ${messageOf(error)}` };
  }
}

/** The arrays' memory, which goes over to the other thread in place of a copy. */
function buffersOf({ weights }: KerasHdf5): ArrayBuffer[] {
  const arrays =
    weights.layout === "by-layer"
      ? weights.layers.flatMap(({ tensors }) => tensors)
      : [...weights.places.values()].flatMap((place) => place.arrays);
  return [...new Set(arrays.map(({ values }) => values.buffer as ArrayBuffer))];
}
