import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImportResource } from "@pulumi/pulumi/automation/index.js";
import { identifierOf } from "../embedded/program/identifier.ts";
import { makeUrn, nameOf } from "../embedded/urn.ts";
import type { EngineEvent, ImportOptions, ResourceToImport } from "../engine.ts";
import { type Run, withRun } from "./command.ts";
import type { Verb } from "./operation.ts";

/** `pulumi import`, and the declarations that it wrote. */
interface ImportVerb extends Verb {
  /** Empty before it has run, and where only a preview was asked for: the CLI writes none then. */
  program: string;
}

/**
 * `pulumi import` through the Automation API. That one passes on neither events nor interruptions, and previews nothing: the command that it
 * builds is given what is missing. The events come when the command has ended.
 */
export function importVerb(
  resources: readonly ResourceToImport[],
  { protect = true, previewOnly = false, nameTable = {} }: ImportOptions,
): ImportVerb {
  const verb: ImportVerb = {
    changes: !previewOnly,
    needsState: false,
    program: "",
    run: async (stack, { signal, onEvent, ...options }) => {
      const folder = await mkdtemp(join(tmpdir(), "slipway-import-"));
      const log = join(folder, "events.jsonl");
      const told = async () => {
        const lines = (await readFile(log, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
        for (const line of lines) onEvent?.(JSON.parse(line) as EngineEvent as never);
      };
      withRun(stack.workspace.pulumiCommand, (run) => completed(run, previewOnly, log, signal));
      const { name: project } = await stack.workspace.projectSettings();
      try {
        const named = withNames(resources, nameTable, { stack: stack.name, project });
        const { generatedCode } = await stack.import({ ...options, ...named, protect, generateCode: !previewOnly });
        verb.program = generatedCode.trim();
      } finally {
        await told();
        await rm(folder, { recursive: true, force: true });
      }
      return {};
    },
  };
  return verb;
}

function completed(run: Run, previewOnly: boolean, log: string, signal: AbortSignal | undefined): Run {
  return (args, cwd, env, onOutput, onError) => {
    if (args[0] !== "import") return run(args, cwd, env, onOutput, onError);
    const wanted = previewOnly
      ? [...args.filter((one) => one !== "--skip-preview" && one !== "--yes"), "--preview-only"]
      : args;
    return run([...wanted, "--event-log", log], cwd, env, onOutput, onError, signal);
  };
}

/** The CLI knows parents and providers by variables, and a parent that is imported too by its name. */
function withNames(
  resources: readonly ResourceToImport[],
  given: Record<string, string>,
  { stack, project }: { stack: string; project: string },
): { resources: ImportResource[]; nameTable: Record<string, string> } {
  const nameTable = { ...given };
  const together = new Map(
    resources.map((one) => [makeUrn(stack, project, one.parent ?? "", one.type, one.name), one.name]),
  );
  const variableOf = (urn: string) => {
    const known = Object.entries(nameTable).find(([, of]) => of === urn)?.[0];
    const variable = known ?? identifierOf(nameOf(urn));
    nameTable[variable] = urn;
    return variable;
  };
  const named = resources.map(({ parent, provider, ...one }) => ({
    ...one,
    ...(parent === undefined ? {} : { parent: together.get(parent) ?? variableOf(parent) }),
    ...(provider === undefined ? {} : { provider: variableOf(provider) }),
  }));
  return { resources: named, nameTable };
}
