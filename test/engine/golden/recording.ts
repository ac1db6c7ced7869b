import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** The recordings that there are. */
export const recordings = ["v3-lifecycle", "v3-drift", "v3-wide", "v3-errors", "v3-import"];

/** JSON as recorded; a secret is `{$secret: value}`, in clear and the same on both sides. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One request to the cloud. */
export interface Call {
  /** `keystone`, `nova`, `neutron`, `glance`, `cinder`. */
  service: string;
  method: string;
  /** Below the service's address, with its version. */
  path: string;
  query: string;
  status: number;
  body?: Json;
  /** When it was sent, milliseconds after the run's first. */
  at: number;
}

/** Where one step began, ended well or failed. */
export interface Step {
  phase: "begin" | "end" | "fail";
  op: string;
  urn: string;
  /** The properties that differ, and those that demand a replacement. */
  diffs?: string[];
  keys?: string[];
  detailedDiff?: Record<string, { diffKind: string; inputDiff: boolean }>;
}

/** One resource of a checkpoint. */
export type Resource = { urn: string; type: string; id?: string } & { [key: string]: Json };

/** What a preview says of one resource. */
export interface Planned {
  op: string;
  urn: string;
  detailedDiff?: Record<string, { kind: string; inputDiff: boolean }>;
  diffReasons?: string[];
  replaceReasons?: string[];
  inputs?: Json;
  outputs?: Json;
}

/** What can be seen of one run, recorded or ours. */
export interface Observation {
  failed: boolean;
  errors: string[];
  steps: Step[];
  calls: Call[];
  /** The checkpoint after the run. */
  resources: Resource[];
  /** The steps of `preview --json`, where it was asked for. */
  plan?: Planned[];
  /** In previews: the outputs that are foreseen, by operation and URN. */
  foreseen?: Record<string, Json>;
}

/** One command of a recording. */
export interface RecordedRun extends Observation {
  name: string;
  /** What `pulumi` was called with. */
  args: string;
  /** `Pulumi.dev.yaml`, opened; the password of the lab's user reads `<password>`. */
  config: Record<string, string | { $secret: string }>;
  /** The program, `index.ts`. */
  program: string;
  /** The checkpoint before the run, where that is not the one after the recorded run before it: as far as the engine told of it. */
  before?: Resource[];
}

/** The runs of one stack, one after the other. */
export interface Recording {
  /** Files of the project besides the program, by name. */
  files: Record<string, string>;
  /** What the lab had before the first run, by id. */
  known: Record<string, string>;
  /** The checkpoint before the first run, where there was one. */
  before: Resource[];
  runs: RecordedRun[];
}

interface StoredRun extends Omit<RecordedRun, "failed" | "steps" | "calls" | "program" | "resources"> {
  exit: number;
  /** Left out: the program of the run before. */
  index?: string;
  steps: [Step["phase"], string, string, Omit<Step, "phase" | "op" | "urn">?][];
  calls: [number, string, string, string, string, number, Json?][];
  /** Left out: as after the run before. */
  resources?: Resource[];
}

/** Reads `recordings/NAME.json.gz`; its form is told in `recordings/README.md`. */
export function loadRecording(name: string): Recording {
  const path = join(import.meta.dirname, "recordings", `${name}.json.gz`);
  const stored = JSON.parse(gunzipSync(readFileSync(path)).toString()) as {
    program: Record<string, string>;
    known: Record<string, string>;
    before?: Resource[];
    runs: StoredRun[];
  };
  let program = "";
  let resources = stored.before ?? [];
  const runs = stored.runs.map(({ exit, index, steps, calls, ...run }): RecordedRun => {
    program = index ?? program;
    resources = run.resources ?? resources;
    return {
      ...run,
      failed: exit !== 0,
      steps: steps.map(([phase, op, urn, facts]) => ({ phase, op, urn, ...facts })),
      calls: calls.map(([at, service, method, path, query, status, body]) => ({
        ...{ at, service, method, path, query, status },
        ...(body === undefined ? {} : { body }),
      })),
      program,
      resources,
    };
  });
  return { files: stored.program, known: stored.known, before: stored.before ?? [], runs };
}
