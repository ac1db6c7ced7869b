import type { EngineEvent, StepOperation } from "./events.ts";

export type { EngineEvent };

/** Where a program and its state are, and who may read its secrets. */
export interface StackReference {
  /** Folder of Pulumi.yaml. */
  projectRoot: string;
  /** Project name from Pulumi.yaml. */
  project: string;
  stack: string;
  /** `file://` address of the state; its layout is Pulumi's own. */
  backendUrl: string;
  passphrase: string;
  /** Overrides of the stack file's configuration, `namespace:key` → text (for this run, recorded nowhere but in provider inputs). */
  configOverrides?: Record<string, string>;
  /** Added to the program's environment. */
  env?: Record<string, string>;
}

/** How to run an operation. */
export interface OperationOptions {
  /** Told everything that happens, in order. */
  onEvent?: (event: EngineEvent) => void;
  signal?: AbortSignal;
  parallel?: number;
  /** URNs that the operation is about, `*` and `**` stand for any text without and with colons. Left out: all. */
  targets?: string[];
  /** What depends on a target is one too. */
  targetDependents?: boolean;
  /** URNs to be replaced though nothing of them has changed. */
  replaces?: string[];
  /** Brings the state to what the providers say first. Left out: as the project says (`options.refresh: always`). */
  refresh?: boolean;
}

/** How to run a refresh. */
export interface RefreshOptions extends OperationOptions {
  /** Shows what would be found and saves nothing. */
  previewOnly?: boolean;
  /** Drops creations that were interrupted, whatever became of them. */
  clearPendingCreates?: boolean;
}

/** An object of the cloud that a stack is to take over, as the program will call it. */
export interface ResourceToImport {
  /** Type token, e.g. `openstack:networking/network:Network`. */
  type: string;
  name: string;
  /** What the provider knows the object by. */
  id: string;
  /** URN of a resource of the stack, or of one that is imported with it; left out: the stack itself. */
  parent?: string;
  /** URN of a provider of the stack; left out: the package's default one. */
  provider?: string;
}

/** How to import. */
export interface ImportOptions extends Pick<OperationOptions, "onEvent" | "signal" | "parallel"> {
  /** Keeps what is imported from being deleted until the program says otherwise; left out: yes. */
  protect?: boolean;
  /** Shows what would be imported and saves nothing. */
  previewOnly?: boolean;
  /** What the program calls parents and providers: URN by variable. Left out: after the names in their URNs. */
  nameTable?: Record<string, string>;
}

/** How an import ended. */
export interface ImportResult extends OperationResult {
  /** The declarations, in TypeScript, that the program needs to keep what was imported as it is. */
  program: string;
}

/** How an operation ended. A failed one throws SlipwayError instead. */
export interface OperationResult {
  /** Number of resources by operation; a replacement counts once, default providers not at all. */
  changes: Partial<Record<StepOperation, number>>;
  /** The stack's outputs; secrets in clear, but for a preview by the official engine, which shows `[secret]`. */
  outputs: Record<string, unknown>;
  durationMs: number;
}

/**
 * Who runs the program.
 * Errors: E_LOCKED, E_STATE_DAMAGED, E_PASSPHRASE_WRONG, E_STACK_UNKNOWN, E_CONFIG_INVALID, E_PROGRAM_FAILED, E_UPDATE_FAILED,
 * E_LOOKUP, E_UNSUPPORTED, E_INTERRUPTED.
 */
export interface Engine {
  readonly kind: "embedded" | "official";
  preview(stack: StackReference, options?: OperationOptions): Promise<OperationResult>;
  up(stack: StackReference, options?: OperationOptions): Promise<OperationResult>;
  destroy(stack: StackReference, options?: OperationOptions): Promise<OperationResult>;
  /** Brings the state to what the providers say of each resource, and changes none; the result's counts are of what it found. */
  refresh(stack: StackReference, options?: RefreshOptions): Promise<OperationResult>;
  /**
   * Takes objects that exist in the cloud into the state, as their providers read them, without running the program. Changes
   * nothing in the cloud. What the state has already under that name and id stays as it is. Throws SlipwayError E_USAGE for a name that
   * another object has, a type that is none, and a parent or provider that the stack does not have; E_UPDATE_FAILED for an
   * object that is not there; E_UNSUPPORTED for a type that the provider does not know.
   */
  importResources(
    stack: StackReference,
    resources: readonly ResourceToImport[],
    options?: ImportOptions,
  ): Promise<ImportResult>;
  /** The outputs as the state has them, secrets in clear; undefined where the stack has no state yet. */
  outputs(stack: StackReference): Promise<Record<string, unknown> | undefined>;
  /**
   * Shows that the state can be read and its secrets opened: asked before anything outside of the engine is touched.
   * Throws SlipwayError E_STACK_UNKNOWN, E_STATE_DAMAGED, E_PASSPHRASE_WRONG, E_UNSUPPORTED.
   */
  verify(stack: StackReference): Promise<void>;
  /** Drops a stack's state without touching a cloud: for a stack whose whole cloud is gone. A backup of the state stays. */
  forget(stack: Pick<StackReference, "project" | "stack" | "backendUrl">): Promise<void>;
}
