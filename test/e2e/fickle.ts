import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A function that is another one on a stack's host than here. */
const FICKLE = `import { hostname } from "node:os";
export function fickle(n: number): number { return hostname().startsWith("server-g") ? n + 1 : n; }
export const schema = {
  arguments: { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false },
  result: { type: "integer" },
};
export const golden = [{ arguments: { n: 1 }, result: 1 }];
`;

/** Writes a model into a project that passes every check where it is imported, and no host's gate. Answers its path. */
export async function writeFickleModel(projectRoot: string): Promise<string> {
  const path = join(projectRoot, "models/fickle.ts");
  await writeFile(path, FICKLE);
  return path;
}
