import type { ModelCard } from "../models/card.ts";
import { jsonElements } from "../tensors/json.ts";
import { elementsIn, joinElements, type RawTensor } from "../tensors/raw-tensor.ts";
import { invalidRequest } from "./question.ts";

/**
 * An output as its largest values: BYTES `value:place`, the largest first, so many of each row (of the whole tensor where the model's
 * first axis counts no rows).
 * @throws HttpError 400 for an output that holds no numbers
 */
export function largestOf({ batching }: Pick<ModelCard, "batching">, output: RawTensor, count: number): RawTensor {
  if (output.datatype === "BYTES") throw invalidRequest("an output of texts has no largest values");
  const values = jsonElements(output).map((value) => (value === null ? Number.NaN : Number(value)));
  const rows = batching ? (output.shape[0] ?? 1) : 1;
  const width = batching ? elementsIn(output.shape.slice(1)) : values.length;
  const found = Math.min(count, width);
  const texts: Buffer[] = [];
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const value = (place: number) => values[start + place] as number;
    // a NaN is below everything
    const places = Array.from({ length: width }, (_, place) => place).sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (Number.isNaN(one) || Number.isNaN(other))
        return Number(Number.isNaN(one)) - Number(Number.isNaN(other)) || a - b;
      return other - one || a - b;
    });
    for (const place of places.slice(0, found)) texts.push(Buffer.from(`${value(place)}:${place}`));
  }
  return { datatype: "BYTES", shape: batching ? [rows, found] : [found], bytes: joinElements(texts) };
}
