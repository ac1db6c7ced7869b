import { SlipwayError } from "../../common/errors.ts";
import type { AnyPackage } from "../../serving/models/package.ts";

/** Throws SlipwayError E_MODEL_INVALID for a package that is code. */
export function requireNoFunction({ card }: AnyPackage): void {
  if (card.platform !== "function") return;
  throw new SlipwayError("E_MODEL_INVALID", "a function is code, and a deploy key brings models alone", {
    hint: "Release it with `slipway deploy --model`.",
  });
}
