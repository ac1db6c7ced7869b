/**
 * The baselines: an HTTP server with the model in its own process. `node in-process.ts KIND MODEL.onnx PORT`, KIND one of
 * `none` (Fastify alone), `row` (ONNX Runtime row by row) and `batch` (what arrived in one turn of the event loop is one batch).
 * Nothing of src/serving runs here: this is the plain program that somebody would write.
 */
import { readFile } from "node:fs/promises";
import Fastify from "fastify";
import ort from "onnxruntime-node";

const [kind, file, port] = process.argv.slice(2);
if (kind === undefined || file === undefined || port === undefined) throw new Error("KIND MODEL.onnx PORT");

const session = await ort.InferenceSession.create(await readFile(file), { intraOpNumThreads: 1, logSeverityLevel: 3 });
const [input, output] = [session.inputNames[0] as string, session.outputNames[0] as string];
const FEATURES = 8;

async function compute(values: Float32Array, rows: number): Promise<Float32Array> {
  const answer = await session.run({ [input]: new ort.Tensor("float32", values, [rows, FEATURES]) }, [output]);
  return answer[output]?.data as Float32Array;
}

interface Waiting {
  values: Float32Array;
  resolve: (probability: number) => void;
  reject: (error: unknown) => void;
}

let waiting: Waiting[] = [];
let computing = false;

function batched(values: Float32Array): Promise<number> {
  return new Promise((resolve, reject) => {
    waiting.push({ values, resolve, reject });
    if (!computing) {
      computing = true;
      setImmediate(work);
    }
  });
}

async function work(): Promise<void> {
  const batch = waiting;
  waiting = [];
  try {
    const values = new Float32Array(batch.length * FEATURES);
    for (const [at, question] of batch.entries()) values.set(question.values, at * FEATURES);
    const outputs = await compute(values, batch.length);
    for (const [at, question] of batch.entries()) question.resolve(outputs[at] as number);
  } catch (error) {
    for (const question of batch) question.reject(error);
  }
  if (waiting.length > 0) setImmediate(work);
  else computing = false;
}

const predict: Record<string, (values: Float32Array) => Promise<number>> = {
  none: async () => 0.5,
  row: async (values) => (await compute(values, 1))[0] as number,
  batch: batched,
};
const answer = predict[kind];
if (answer === undefined) throw new Error(`no kind ${kind}`);

const app = Fastify();
app.post<{ Body: { rows?: number[][] } }>("/v1/predict", async (request, reply) => {
  const row = request.body?.rows?.[0];
  if (!Array.isArray(row) || row.length !== FEATURES || !row.every(Number.isFinite))
    return reply.code(400).send({ error: "a row is eight numbers" });
  const probability = await answer(Float32Array.from(row));
  return { predictions: [{ probability, class: probability > 0.5 ? 1 : 0 }] };
});
await app.listen({ host: "127.0.0.1", port: Number(port) });
