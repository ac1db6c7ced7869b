import { areAlike } from "../../models/function/alike.ts";
import { deviation } from "../../models/golden.ts";
import { jsonElements } from "../../tensors/json.ts";
import { floatsIn, type RawTensor } from "../../tensors/raw-tensor.ts";

/** How one model's answer differs from another's to the same question. */
export interface Difference {
  /** Whether some element is farther away than the tolerance, or not the same where it is no number. */
  differs: boolean;
  /** The largest deviation of a number, as golden questions have it: absolute, and relative for numbers above 1. Undefined without numbers. */
  largest: number | undefined;
}

/** Compares two answers element by element; both have their outputs in the same order. */
export function differenceBetween(
  found: readonly RawTensor[],
  wanted: readonly RawTensor[],
  tolerance: number,
): Difference {
  const difference: Difference = { differs: found.length !== wanted.length, largest: undefined };
  for (const [at, tensor] of wanted.entries()) {
    const other = found[at];
    if (other?.datatype !== tensor.datatype || `${other.shape}` !== `${tensor.shape}`) difference.differs = true;
    else compareElements(elementsOf(other), elementsOf(tensor), tolerance, difference);
  }
  return difference;
}

function compareElements(
  found: ArrayLike<unknown>,
  wanted: ArrayLike<unknown>,
  tolerance: number,
  difference: Difference,
): void {
  for (let at = 0; at < wanted.length; at++) {
    const [one, other] = [found[at], wanted[at]];
    if (typeof one !== "number" || typeof other !== "number") {
      if (!areAlike(one, other, tolerance)) difference.differs = true;
      continue;
    }
    // also of what no number is near to, as NaN
    const far = Object.is(one, other) ? 0 : deviation(one, other);
    if (!(far <= tolerance)) difference.differs = true;
    if (Number.isFinite(far)) difference.largest = Math.max(difference.largest ?? 0, far);
  }
}

/** Those of the usual kind of tensor without a copy. */
function elementsOf(tensor: RawTensor): ArrayLike<unknown> {
  return tensor.datatype === "FP32" ? floatsIn(tensor) : jsonElements(tensor);
}
