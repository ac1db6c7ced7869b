import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { readTextIfExists } from "../../common/files.ts";
import type { Declaration, Project } from "../embedded/project/project.ts";
import { fullKey, type StackFile } from "../embedded/project/stack-file.ts";

/** A stack file for one run. */
export interface RunFile {
  path: string;
  remove(): Promise<void>;
}

/**
 * A copy of the stack file with a run's overrides. The CLI takes overrides only by writing them down, and writes the salt of a new
 * state into the stack file: both go into the copy, so that a run never writes to the user's own file. Secrets stay sealed in it.
 */
export async function copyForRun(
  project: Pick<Project, "name" | "config">,
  file: StackFile,
  overrides: Record<string, string> = {},
): Promise<RunFile> {
  const text = withOverrides(project, (await readTextIfExists(file.path)) ?? "", overrides);
  const folder = await mkdtemp(join(tmpdir(), "slipway-official-"));
  const path = join(folder, "Pulumi.run.yaml");
  await writeFile(path, text, { mode: 0o600 });
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A stack file's text with some keys set, whichever way it spells them. */
export function withOverrides(
  project: Pick<Project, "name" | "config">,
  text: string,
  overrides: Record<string, string>,
): string {
  if (Object.keys(overrides).length === 0) return text;
  const document = parseDocument(text);
  const content = (document.toJS() ?? {}) as { config?: Record<string, unknown> | null };
  const kept = Object.entries(content.config ?? {}).filter(([key]) => !(fullKey(project, key) in overrides));
  const set = Object.entries(overrides).map(([key, value]) => [key, typedValue(declarationOf(project, key), value)]);
  return JSON.stringify({ ...content, config: Object.fromEntries([...kept, ...set]) });
}

function declarationOf(project: Pick<Project, "name" | "config">, key: string): Declaration | undefined {
  return Object.entries(project.config).find(([name]) => fullKey(project, name) === key)?.[1];
}

/** An override is text; where the project declares a list or a map, the file must hold one. */
function typedValue(declaration: Declaration | undefined, text: string): unknown {
  const type =
    typeof declaration === "object" && declaration !== null && !Array.isArray(declaration)
      ? declaration.type
      : undefined;
  return type === "array" || type === "object" ? JSON.parse(text) : text;
}
