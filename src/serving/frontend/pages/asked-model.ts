import { z } from "zod";
import type { AskedModel } from "../context.ts";

const text = z.string().optional();

/** A page's parameters that say which model it is of, as they are described. */
export const askedModelShape = {
  name: text.describe("the model's name; the default one without it"),
  version: text.describe("its version; the live one without it"),
};

const askedModel = z.object({ name: text.catch(undefined), version: text.catch(undefined) });

/** Reads `?name=…&version=…`; what is no text counts as not there. */
export function askedModelOf(query: unknown): AskedModel {
  return askedModel.parse(query);
}
