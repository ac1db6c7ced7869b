import { messageOf } from "../../../common/errors.ts";
import { invalid } from "./errors.ts";

/** Bytes of a description: ten times what the largest published networks have. */
export const MOST_DESCRIPTION_BYTES = 16 * 1024 ** 2;
const LONGEST_LIST = 100_000;
const DEEPEST = 256;

/**
 * Parses a description.
 * @throws SlipwayError E_MODEL_INVALID
 */
export function parsedJson(what: string, text: string): unknown {
  if (text.length > MOST_DESCRIPTION_BYTES) throw invalid(`${what} is larger than a description`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`${what} is no JSON: ${messageOf(error)}`, error);
  }
}

/**
 * Refuses lists without end, of things or of lists: what checks the form of a description would run out of stack or memory with them.
 * @throws SlipwayError E_MODEL_INVALID
 */
export function requireModest(what: string, value: unknown): void {
  const open = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value !== "object" || value === null) continue;
    const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
    if (parts.length > LONGEST_LIST) throw invalid(`${what} has a list of ${parts.length} things`);
    if (depth > DEEPEST) throw invalid(`${what} is nested more than ${DEEPEST} deep`);
    for (const part of parts) open.push({ value: part, depth: depth + 1 });
  }
}
