import type { Datatype } from "../tensors/datatypes.ts";
import { jsonElements, tensorFromJson } from "../tensors/json.ts";
import { joinRows, type RawTensor, splitRows } from "../tensors/raw-tensor.ts";
import { deviation } from "./golden.ts";
import type { LoadedModel } from "./onnx-model.ts";

/** Rows that differ from one another, at least: what a row takes from others it may take from one place or value alone. */
const DISTINCT_ROWS = 4;

/**
 * Whether rows that are computed together come out as they do alone: asked of the model itself, with these inputs. Where they are too
 * few or too much alike, rows made from their first come besides. False where the model takes no rows that differ: nothing is known then.
 * @param tolerance how far numbers may be from those of the row alone: absolute, and relative for those above 1
 */
export async function computesRowsAlone(
  model: Pick<LoadedModel, "run">,
  inputs: RawTensor[],
  tolerance: number,
): Promise<boolean> {
  const rows = inputs[0]?.shape[0] ?? 0;
  if (rows === 0 || inputs.some(({ shape }) => shape[0] !== rows)) return false;
  if (distinctRows(inputs) >= DISTINCT_ROWS) return comeOutAlike(model, inputs, tolerance);
  for (const way of ways) {
    const more = inputs.map((tensor) => joinRows([tensor, ...variationsOf(tensor, way(tensor.datatype))]));
    if (distinctRows(more) < 2) continue;
    const alike = await comeOutAlike(model, more, tolerance).catch(() => undefined); // it takes no such row
    if (alike !== undefined) return alike;
  }
  return false;
}

async function comeOutAlike(model: Pick<LoadedModel, "run">, inputs: RawTensor[], tolerance: number): Promise<boolean> {
  const ones = new Array<number>(inputs[0]?.shape[0] ?? 0).fill(1);
  const together = await model.run(inputs);
  if (together.some(({ shape }) => shape[0] !== ones.length)) return false;
  const [asked, answered] = [inputs, together].map((tensors) => tensors.map((tensor) => splitRows(tensor, ones)));
  for (const row of ones.keys()) {
    const alone = await model.run((asked ?? []).map((tensors) => tensors[row] as RawTensor));
    if (!alone.every((tensor, index) => areClose(tensor, answered?.[index]?.[row] as RawTensor, tolerance)))
      return false;
  }
  return true;
}

/** How many rows there are that are not equal in all tensors. */
function distinctRows(inputs: RawTensor[]): number {
  const ones = new Array<number>(inputs[0]?.shape[0] ?? 0).fill(1);
  const cut = inputs.map((tensor) => splitRows(tensor, ones));
  return new Set(ones.map((_, row) => cut.map((rows) => Buffer.from(rows[row]?.bytes ?? []).toString("base64")).join()))
    .size;
}

/** Another element in the place of one. `row` has the elements of its row. */
type Vary = (row: unknown[], place: number, step: number) => unknown;

const FLOATS: readonly Datatype[] = ["FP16", "FP32", "FP64"];

/** Each element is another one of the row: what is looked up in a table stays what is there. */
const turned: Vary = (row, place, step) => row[(place + step) % row.length];

/** A number near the one that {@link turned} gives. */
const bent: Vary = (row, place, step) => (turned(row, place, step) as number) * (1 - step / 8) + step / 16;

/** In every second place a value that the row need not have: a table may lack it. */
const replaced: Vary = (row, place, step) => {
  const other = turned(row, place, step);
  if ((place + step) % 2 === 0) return other;
  if (typeof other === "boolean") return !other;
  return typeof other === "string" ? `${other}${step}` : Number(other) === 0 ? 1 : 0;
};

/** Ways to vary rows, those first that vary more. */
const ways: ((datatype: Datatype) => Vary)[] = [
  (datatype) => (FLOATS.includes(datatype) ? bent : replaced),
  (datatype) => (FLOATS.includes(datatype) ? bent : turned),
  () => turned,
];

/** Rows made from the tensor's first. */
function variationsOf(tensor: RawTensor, vary: Vary): RawTensor[] {
  const { datatype, shape } = tensor;
  const [first] = splitRows(tensor, [1, ...(shape[0] === 1 ? [] : [(shape[0] as number) - 1])]) as [RawTensor];
  const row = jsonElements(first);
  return Array.from({ length: DISTINCT_ROWS }, (_, index) =>
    tensorFromJson(
      datatype,
      first.shape,
      row.map((_, place) => vary(row, place, index + 1)),
    ),
  );
}

function areClose(a: RawTensor, b: RawTensor, tolerance: number): boolean {
  const [left, right] = [jsonElements(a), jsonElements(b)];
  return (
    `${a.shape}` === `${b.shape}` &&
    left.every((value, index) => {
      const other = right[index];
      if (typeof value !== "number" || typeof other !== "number") return value === other;
      return deviation(value, other) <= tolerance || (Number.isNaN(value) && Number.isNaN(other));
    })
  );
}
