import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** Named values on the wire. */
export type JsonMap = { [key: string]: Json };

/** One call of Pulumi's engine on the official provider 3.15.2, and its answer. */
export interface RecordedCall {
  /** Where it was recorded. */
  run: string;
  method: "CheckConfig" | "Configure" | "Check" | "Diff";
  request: {
    urn: string;
    type: string;
    name: string;
    id?: string;
    olds?: JsonMap;
    oldInputs?: JsonMap;
    news?: JsonMap;
    args?: JsonMap;
    variables?: Record<string, string>;
    ignoreChanges?: string[];
  };
  response: {
    inputs?: JsonMap;
    supportsPreview?: boolean;
    changes?: string;
    replaces?: string[];
    diffs?: string[];
    deleteBeforeReplace?: boolean;
    detailedDiff?: Record<string, { kind?: string; inputDiff?: boolean }>;
  };
}

/** Every distinct call of these methods in runs against a real OpenStack. */
export function recordedCalls(): RecordedCall[] {
  const text = gunzipSync(readFileSync(new URL("recorded-calls.jsonl.gz", import.meta.url))).toString();
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as RecordedCall);
}
