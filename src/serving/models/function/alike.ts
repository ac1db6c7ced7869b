import { isDeepStrictEqual } from "node:util";
import { deviation } from "../golden.ts";

/** Whether two JSON texts say the same, numbers within the tolerance. */
export function areAlike(found: unknown, wanted: unknown, tolerance: number): boolean {
  if (typeof found !== "string" || typeof wanted !== "string") return found === wanted;
  try {
    return isClose(JSON.parse(found), JSON.parse(wanted), tolerance);
  } catch {
    return found === wanted;
  }
}

function isClose(found: unknown, wanted: unknown, tolerance: number): boolean {
  if (typeof found === "number" && typeof wanted === "number") return deviation(found, wanted) <= tolerance;
  if (typeof found !== "object" || typeof wanted !== "object" || found === null || wanted === null) {
    return isDeepStrictEqual(found, wanted);
  }
  const [left, right] = [Object.entries(found), Object.keys(wanted)];
  return (
    Array.isArray(found) === Array.isArray(wanted) &&
    left.length === right.length &&
    left.every(
      ([key, value]) =>
        Object.hasOwn(wanted, key) && isClose(value, (wanted as Record<string, unknown>)[key], tolerance),
    )
  );
}
