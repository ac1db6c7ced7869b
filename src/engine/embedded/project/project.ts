import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf, SlipwayError } from "../../../common/errors.ts";
import { readTextIfExists } from "../../../common/files.ts";

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const declaration = z.union([
  z.object({
    type: z.enum(["string", "integer", "number", "boolean", "array", "object"]).optional(),
    default: z.unknown().optional(),
    value: z.unknown().optional(),
    secret: z.boolean().optional(),
    description: z.string().optional(),
    items: z.unknown().optional(),
  }),
  scalar,
  z.array(z.unknown()),
]);

/** What a project says of one configuration key: its type and default, or a bare default. */
export type Declaration = z.infer<typeof declaration>;

const pluginPath = z.object({ name: z.string(), path: z.string(), version: z.string().optional() });

const projectFile = z.object({
  name: z.string().min(1),
  runtime: z.union([z.string(), z.object({ name: z.string(), options: z.record(z.string(), z.unknown()).optional() })]),
  main: z.string().optional(),
  stackConfigDir: z.string().optional(),
  config: z.union([z.record(z.string(), declaration), z.string()]).nullish(),
  plugins: z.object({ providers: z.array(pluginPath).nullish() }).nullish(),
  options: z.object({ refresh: z.string().optional() }).nullish(),
});

/** A Pulumi project: what Pulumi.yaml says, with its paths resolved. */
export interface Project {
  name: string;
  /** Folder of Pulumi.yaml. */
  root: string;
  /** Folder that the program runs in. */
  programDirectory: string;
  /** What `@pulumi/pulumi/cmd/run` is asked to load: `.` or a file's name. */
  entry: string;
  /** Folder of the stack files. */
  stackConfigDirectory: string;
  options: { typescript: boolean; tsconfig: string | undefined; nodeArguments: string[] };
  config: Record<string, Declaration>;
  /** Provider plugins that the project brings along: by package name and, where given, version; paths are absolute. */
  plugins: z.infer<typeof pluginPath>[];
  /** Every operation begins with a refresh. */
  refreshAlways: boolean;
}

/** Reads Pulumi.yaml. Throws SlipwayError E_CONFIG_INVALID, E_UNSUPPORTED. */
export async function loadProject(root: string): Promise<Project> {
  const path = join(root, "Pulumi.yaml");
  const text = await readTextIfExists(path);
  if (text === undefined) {
    throw new SlipwayError("E_CONFIG_INVALID", `there is no Pulumi.yaml in ${root}`, {
      hint: "Run the command in a project's folder.",
    });
  }
  const file = parseFile(path, text, projectFile);
  const runtime = typeof file.runtime === "string" ? { name: file.runtime, options: {} } : file.runtime;
  if (runtime.name !== "nodejs") {
    throw new SlipwayError(
      "E_UNSUPPORTED",
      `the embedded engine runs nodejs programs only, this one needs ${runtime.name}`,
      {
        hint: "Use the official engine: install pulumi and its language plugin.",
      },
    );
  }
  const options = runtime.options ?? {};
  const oldSpelling = typeof file.config === "string" ? file.config : undefined;
  return {
    name: file.name,
    root,
    ...(await programOf(root, file.main)),
    stackConfigDirectory: resolve(root, file.stackConfigDir ?? oldSpelling ?? "."),
    options: {
      typescript: options.typescript !== false,
      tsconfig: typeof options.tsconfig === "string" ? options.tsconfig : undefined,
      nodeArguments: typeof options.nodeargs === "string" ? options.nodeargs.split(/\s+/).filter(Boolean) : [],
    },
    config: typeof file.config === "object" && file.config !== null ? file.config : {},
    plugins: (file.plugins?.providers ?? []).map((plugin) => ({ ...plugin, path: resolve(root, plugin.path) })),
    refreshAlways: file.options?.refresh === "always",
  };
}

/** A folder as `main` is where the program runs; a file is also what it loads. */
async function programOf(root: string, main = "."): Promise<{ programDirectory: string; entry: string }> {
  const path = resolve(root, main);
  try {
    if ((await stat(path)).isDirectory()) return { programDirectory: path, entry: "." };
  } catch (cause) {
    throw new SlipwayError("E_CONFIG_INVALID", `Pulumi.yaml names a program that is not there: main: ${main}`, {
      cause,
    });
  }
  return { programDirectory: dirname(path), entry: basename(path) };
}

/** A YAML file by its schema. Throws SlipwayError E_CONFIG_INVALID that names file and place. */
export function parseFile<T>(path: string, text: string, schema: z.ZodType<T>): T {
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 100 }) ?? {};
  } catch (cause) {
    throw new SlipwayError("E_CONFIG_INVALID", `${path} is not YAML: ${messageOf(cause)}`, { cause });
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const where = result.error.issues.map((issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`);
  throw new SlipwayError("E_CONFIG_INVALID", `${path} is not valid: ${where.join("; ")}`);
}
