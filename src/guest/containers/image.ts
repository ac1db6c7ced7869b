import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOf, hexOf } from "../../common/digest.ts";
import { CommandError } from "../../common/process.ts";
import type { Host } from "../host.ts";
import { SERVICE_USER } from "../unit-names.ts";
import { podman } from "./engine.ts";

const NAME = "localhost/slipway";
/** By which images of ours are told from others. */
const LABEL = "slipway.image";
const IMPORT_TIMEOUT_MS = 120_000;

/** An image's content by path: the host's files of these names, and texts. */
interface Content {
  files: string[];
  texts: Record<string, string>;
}

/**
 * The image of the host's containers: the distribution's libraries that a payload's programs and the queue's server need, and that server.
 * It is made of the host's own files, without a registry; payloads and models are mounted, so that a release makes no image.
 * @param runtime folder of the payload's runtime layer
 * @param queueServer its path; empty on a host without a queue
 * @returns its name, with the digest of what is in it
 */
export async function ensureImage(host: Host, runtime: string, queueServer: string): Promise<string> {
  const { run, paths } = host;
  const servers = queueServer === "" ? [] : [queueServer];
  const programs = [join(runtime, "bin/node"), ...(await librariesBelow(runtime)), ...servers];
  const { stdout } = await run("ldd", programs);
  const content: Content = {
    files: [...servers, ...librariesIn(stdout, runtime)],
    texts: { "etc/passwd": await userLine(run, "passwd"), "etc/group": await userLine(run, "group") },
  };
  const image = `${NAME}:${(await digestOfContent(content)).slice(0, 16)}`;
  if (await hasImage(run, image)) return image;
  // whatever an earlier one was for
  await podman(run, ["image", "prune", "--all", "--force", "--filter", `label=${LABEL}`]);
  await makeImage(run, dirname(paths.release), image, content);
  return image;
}

/** The native libraries that a runtime layer brings. */
async function librariesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => /\.(so(\.\d+)*|node)$/.test(name)).map((name) => join(folder, name));
}

/**
 * The libraries of the host in what ldd(1) prints.
 * @param own folder of a layer, whose libraries are there wherever it is mounted
 * @throws Error naming those that are missing
 */
export function librariesIn(printed: string, own: string): string[] {
  const lines = printed.split("\n").map((line) => line.trim());
  const missing = lines.flatMap((line) => /^(\S+) => not found/.exec(line)?.[1] ?? []);
  if (missing.length > 0) throw new Error(`this host lacks ${missing.join(", ")}`);
  const found = lines.flatMap((line) => /(?:^|=> )(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return [...new Set(found)].filter((path) => !path.startsWith(`${own}/`)).sort();
}

async function userLine(run: Host["run"], database: "passwd" | "group"): Promise<string> {
  return (await run("getent", [database, SERVICE_USER])).stdout;
}

async function digestOfContent({ files, texts }: Content): Promise<string> {
  const parts = await Promise.all(files.map(async (path) => [path, digestOf(await readFile(path))]));
  return hexOf(digestOf(JSON.stringify([parts, texts])));
}

async function hasImage(run: Host["run"], image: string): Promise<boolean> {
  try {
    await podman(run, ["image", "exists", image]);
    return true;
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === 1) return false; // podman-image-exists(1)
    throw error;
  }
}

async function makeImage(run: Host["run"], near: string, image: string, { files, texts }: Content): Promise<void> {
  // not in /tmp, which is the agent's own
  const work = await mkdtemp(join(near, "image."));
  try {
    const tree = join(work, "tree");
    const placeOf = async (path: string) => {
      const place = join(tree, path);
      await mkdir(dirname(place), { recursive: true });
      return place;
    };
    for (const path of files) await copyFile(path, await placeOf(path)); // what links lead to, with its permissions
    for (const [path, text] of Object.entries(texts)) await writeFile(await placeOf(path), text);
    const archive = join(work, "image.tar");
    await run("tar", [
      "--create",
      "--file",
      archive,
      "--directory",
      tree,
      "--owner=0",
      "--group=0",
      "--mode=a+rX",
      ".",
    ]);
    await podman(run, ["import", "--quiet", `--change=LABEL ${LABEL}=1`, archive, image], {
      timeoutMs: IMPORT_TIMEOUT_MS,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
