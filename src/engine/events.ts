import type { DiffKind } from "./resource-provider.ts";

/** The operation of one step, Pulumi's names. */
export type StepOperation =
  | "same"
  | "create"
  | "update"
  | "delete"
  | "replace"
  | "create-replacement"
  | "delete-replaced"
  | "read"
  | "read-replacement"
  | "refresh"
  | "discard"
  | "discard-replaced"
  | "remove-pending-replace"
  | "import"
  | "import-replacement";

/** The halves of a replacement, each with a step of its own; the step that stands for the whole is `replace`. */
const halves = new Set<StepOperation>([
  "create-replacement",
  "delete-replaced",
  "discard-replaced",
  "read-replacement",
  "import-replacement",
]);

/** True for a step that is only a part of a replacement. */
export function isHalfOfReplacement(operation: StepOperation): boolean {
  return halves.has(operation);
}

/** JSON out of a state: secrets are `{"4dabf1…": "1b4726…", "ciphertext": "[secret]"}`, values not known yet the unknown sentinel. */
export type MaskedJson = null | boolean | number | string | MaskedJson[] | { [key: string]: MaskedJson };

/** A resource before or after a step. */
export interface StateMetadata {
  type: string;
  urn: string;
  custom?: boolean;
  /** Replaced, to be deleted. */
  delete?: boolean;
  /** Empty while there is none, and for components. */
  id: string;
  parent: string;
  protect?: boolean;
  external?: boolean;
  retainOnDelete?: boolean;
  inputs: Record<string, MaskedJson>;
  outputs: Record<string, MaskedJson>;
  provider: string;
  initErrors?: string[];
}

/** How one property differs; the `-replace` kinds demand a new resource. */
interface PropertyDifference {
  diffKind: DiffKind;
  /** Old and new inputs differ, rather than old state and new inputs. */
  inputDiff: boolean;
}

/** What a step does to which resource. */
export interface StepMetadata {
  op: StepOperation;
  urn: string;
  type: string;
  old: StateMetadata | null;
  new: StateMetadata | null;
  /** The properties that demand a replacement. */
  keys?: string[];
  /** The top-level properties that differ, one for each path. */
  diffs?: string[];
  /** By property path. */
  detailedDiff: Record<string, PropertyDifference> | null;
  /** A step of the program's own, as opposed to half of a replacement. */
  logical?: boolean;
  provider: string;
}

/** A step that begins or has ended. */
export interface StepNotice {
  metadata: StepMetadata;
  /** In previews. */
  planning?: boolean;
}

/** How loud a message is; `info#err` is what a program wrote to its standard error. */
export type Severity = "debug" | "info" | "info#err" | "warning" | "error";

/** A message of the program, a provider or the engine. */
export interface DiagnosticEvent {
  urn?: string;
  prefix?: string;
  /** Ends with a line break. */
  message: string;
  color: string;
  severity: Severity;
  streamID?: number;
  ephemeral?: boolean;
}

/** How an operation ended. */
export interface SummaryEvent {
  maybeCorrupt: boolean;
  durationSeconds: number;
  /** Resources by operation; a replacement counts once, default providers not at all. */
  resourceChanges: Partial<Record<StepOperation, number>>;
  PolicyPacks: Record<string, string>;
  isPreview: boolean;
  result: "succeeded" | "failed" | "canceled";
}

/**
 * What an engine tells while it works, in the JSON of Pulumi's engine events (pulumi/pulumi, sdk/go/common/apitype/events.go, as
 * `--event-log` writes it): one of the payloads. Secrets are masked.
 */
export interface EngineEvent {
  /** From 0. */
  sequence: number;
  /** Unix seconds. */
  timestamp: number;
  /** The first: the configuration. */
  preludeEvent?: { config: Record<string, string> };
  diagnosticEvent?: DiagnosticEvent;
  stdoutEvent?: { message: string; color: string };
  resourcePreEvent?: StepNotice;
  /** A step has ended; in updates a component's comes when the program registers its outputs, the stack's at the very end. */
  resOutputsEvent?: StepNotice;
  /** `status`: 0 nothing was done, 1 the resource exists but is not what it should be, 2 not known; `steps`: how many had ended well. */
  resOpFailedEvent?: { metadata: StepMetadata; status: number; steps: number };
  summaryEvent?: SummaryEvent;
  /** The last. */
  cancelEvent?: Record<string, never>;
}
