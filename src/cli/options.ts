import type { InferredOptionTypes, Options } from "yargs";
import type { OperationOptions } from "../engine/engine.ts";

/** What every verb understands. */
export const globalOptions = {
  json: { type: "boolean", default: false, describe: "one JSON event a line, the result as the last line" },
  quiet: { type: "boolean", default: false, describe: "only the result" },
  verbose: { type: "boolean", default: false, describe: "every step of the engine and of the hosts" },
  stack: { type: "string", requiresArg: true, describe: "the stack, if not given after the verb" },
  "os-cloud": {
    type: "string",
    requiresArg: true,
    describe: "the cloud's name in clouds.yaml, or `envvars` for the OS_* variables, in place of the stack's own",
  },
  engine: {
    type: "string",
    choices: ["auto", "embedded", "official"],
    default: "auto",
    describe: "who runs the program: ours, or the Pulumi CLI of this machine; auto keeps what the stack had",
  },
  yes: { type: "boolean", default: false, describe: "do not ask" },
} as const satisfies Record<string, Options>;

/** Of verbs that bring a model to a stack. */
export const modelOption = {
  type: "string",
  requiresArg: true,
  describe: "a model's folder, file or https address, in place of the configured one",
} as const satisfies Options;

/** Of verbs that must be alone on a stack. */
export const lockWaitOption = {
  type: "number",
  requiresArg: true,
  describe: "seconds to wait for another operation on the stack; not at all unless given",
} as const satisfies Options;

/** Of verbs that wait for new hosts. */
export const verdictTimeoutOption = {
  type: "number",
  requiresArg: true,
  describe: "seconds for the host's verdict; 900 unless given",
} as const satisfies Options;

/** Of verbs that release something. */
export const watchOption = {
  type: "number",
  requiresArg: true,
  describe: "seconds after the switch in which the hosts go back by themselves; as the stack's gate says unless given",
} as const satisfies Options;

/** Of verbs that release a model of which nobody has said that its clients are to ask something else. */
export const allowNewInputsOption = {
  type: "boolean",
  default: false,
  describe: "release the model though it refuses what clients of the one that serves ask",
} as const satisfies Options;

/** How long jobs that were taken are waited for, seconds. */
export const DRAIN_SECONDS = 30;

/** Of verbs that remove hosts which may have jobs to do. */
export const drainOption = {
  type: "number",
  default: DRAIN_SECONDS,
  requiresArg: true,
  describe: "seconds that jobs which a host was given have to end, once the address is off it; 0: none",
} as const satisfies Options;

/** Of verbs that may renew hosts. */
export const keepOldOption = {
  type: "boolean",
  default: false,
  describe: "hosts that were renewed stay beside the new ones until the next `up` or `down`",
} as const satisfies Options;

/** Of verbs that run an engine. */
export const eventLogOption = {
  type: "string",
  requiresArg: true,
  normalize: true,
  describe: "write the engine's events to this file, one JSON object a line, as Pulumi's CLI does",
} as const satisfies Options;

/** Of verbs that begin with a look at what is there. */
export const refreshOption = {
  type: "boolean",
  describe: "bring the state to what the cloud says first; left out: as Pulumi.yaml says (options.refresh)",
} as const satisfies Options;

const urns = { type: "string", array: true, nargs: 1 } as const;

/** Of verbs that may be about some resources alone. */
export const targetOption = {
  ...urns,
  describe: "only this resource: a URN, in which * and ** stand for any text without and with colons; may be repeated",
} as const satisfies Options;

/** `--refresh`, `--no-refresh`, or neither, as an engine is told. */
export function refreshFirst(refresh: boolean | undefined): { refresh?: boolean } {
  return refresh === undefined ? {} : { refresh };
}

/** Of verbs that bring resources to what the program says: which of them, and how. */
export const operationOptions = {
  refresh: refreshOption,
  target: targetOption,
  "target-dependents": { type: "boolean", default: false, describe: "with --target: what depends on it as well" },
  replace: { ...urns, describe: "make this resource anew, by its URN, though nothing of it has changed" },
  parallel: { type: "number", requiresArg: true, describe: "how many resources are worked on at a time" },
} as const satisfies Record<string, Options>;

/** {@link operationOptions} as an engine takes them. */
export function operationOptionsFrom(args: {
  refresh?: boolean | undefined;
  target?: string[] | undefined;
  targetDependents?: boolean | undefined;
  replace?: string[] | undefined;
  parallel?: number | undefined;
}): Pick<OperationOptions, "refresh" | "targets" | "targetDependents" | "replaces" | "parallel"> {
  const { refresh, target, targetDependents = false, replace, parallel } = args;
  return {
    ...refreshFirst(refresh),
    ...(target === undefined ? {} : { targets: target, targetDependents }),
    ...(replace === undefined ? {} : { replaces: replace }),
    ...(parallel === undefined ? {} : { parallel: Math.max(1, Math.trunc(parallel)) }),
  };
}

export type GlobalOptions = InferredOptionTypes<typeof globalOptions> & { osCloud?: string };
