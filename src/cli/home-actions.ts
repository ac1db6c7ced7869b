import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type Digest, digestOf } from "../common/digest.ts";
import { isErrno, SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { slipwayHome } from "../common/home.ts";
import { ensureContainer } from "../openstack/object/containers.ts";
import { getObject, putObject } from "../openstack/object/objects.ts";
import type { Session } from "../openstack/session.ts";
import { bundleHome, openBundle, sealBundle, unbundleHome } from "../release/home-bundle.ts";
import { findPassphrase } from "./passphrase.ts";
import { findProjectRoot, openWorkspace } from "./workspace.ts";

const OBJECT = "home";
/** In the home: what it was when it was saved or restored last. */
const MARK = "home.json";
const markSchema = z.object({ content: z.string(), document: z.string() });

/** What the command line says. */
interface HomeArguments {
  /** Whose cloud keeps the bundle. */
  stack: string | undefined;
  file: string | undefined;
  force: boolean;
  osCloud: string | undefined;
}

/** What an action answers: for programs and for people. */
interface Answer {
  object: Record<string, unknown>;
  text: string;
}

/** What `slipway home` can do. */
export const homeActions: Record<string, (args: HomeArguments) => Promise<Answer>> = { save, restore };

/** Puts the home's bundle where others find it; refused where somebody else has put another one since this home was last the same. */
async function save(args: HomeArguments): Promise<Answer> {
  const { home, place } = await open(args);
  const { content, digest, files } = await bundleHome(home);
  if (files === 0) {
    throw new SlipwayError("E_USAGE", "there is nothing to save: this home has no stack yet", {
      hint: "Run `slipway up` first.",
    });
  }
  const mark = await readMark(home);
  const there = await place.read();
  const known = there === undefined || digestOf(there) === mark?.document;
  if (!known && !args.force) throw outOfDate(place.name, "nothing is saved");
  if (known && there !== undefined && mark?.content === digest) {
    return { object: { place: place.name, files, changed: false }, text: `${place.name} has this home already` };
  }
  const document = sealBundle(content, await findPassphrase(home));
  await place.write(document);
  await writeMark(home, digest, document);
  return {
    object: { place: place.name, files, changed: true },
    text: `${files} files of the home are in ${place.name}`,
  };
}

/** Makes this home what was saved; refused where it has changes of its own. */
async function restore(args: HomeArguments): Promise<Answer> {
  const { home, place } = await open(args);
  const document = await place.read();
  if (document === undefined) {
    throw new SlipwayError("E_STACK_UNKNOWN", `no home has been saved in ${place.name}`, {
      hint: "Run `slipway home save` where the stack was brought up.",
    });
  }
  const own = await bundleHome(home);
  const mark = await readMark(home);
  if (own.files > 0 && own.digest !== mark?.content && !args.force)
    throw outOfDate(place.name, "this home is left as it is");
  const content = openBundle(document, await findPassphrase(home));
  const files = await unbundleHome(home, content);
  await writeMark(home, digestOf(content), document);
  return { object: { place: place.name, files }, text: `${files} files of the home are as in ${place.name}` };
}

/** Where a bundle lies. */
interface Place {
  /** For people. */
  name: string;
  read(): Promise<Buffer | undefined>;
  write(document: Buffer): Promise<void>;
}

async function open({ file, stack, osCloud }: HomeArguments): Promise<{ home: string; place: Place }> {
  if (file !== undefined)
    return { home: slipwayHome(await findProjectRoot(process.cwd())), place: inFile(resolve(file)) };
  const { home, project, session } = await openWorkspace({ stack, osCloud });
  return { home, place: inObjectStore(session, project) };
}

function inFile(path: string): Place {
  return {
    name: path,
    read: () =>
      readFile(path).catch((error: unknown) => {
        if (isErrno(error, "ENOENT")) return undefined;
        throw error;
      }),
    write: (document) => writeFileAtomic(path, document),
  };
}

/** A private container of the cloud's own object store. */
function inObjectStore(session: Session, project: string): Place {
  const container = `slipway-home-${project}`;
  return {
    name: `the container ${container}`,
    async read() {
      await requireObjectStore(session);
      return getObject(session, container, OBJECT);
    },
    async write(document) {
      await ensureContainer(session, container);
      await putObject(session, container, OBJECT, document);
    },
  };
}

async function requireObjectStore(session: Session): Promise<void> {
  if (await session.offers("object-store")) return;
  throw new SlipwayError("E_UNSUPPORTED", "this cloud has no object store to keep the home in", {
    hint: "Name a file with --file, and keep that where all who work on the stacks find it.",
  });
}

function outOfDate(place: string, so: string): SlipwayError {
  return new SlipwayError("E_LOCKED", `this home and ${place} have gone different ways: ${so}`, {
    hint: "Find out who works on the stacks; then add --force to `slipway home save` or to `slipway home restore` to say which one counts.",
  });
}

async function readMark(home: string): Promise<z.infer<typeof markSchema> | undefined> {
  const text = await readTextIfExists(join(home, MARK));
  return text === undefined ? undefined : markSchema.parse(JSON.parse(text));
}

async function writeMark(home: string, content: Digest, document: Buffer): Promise<void> {
  await writeFileAtomic(join(home, MARK), `${JSON.stringify({ content, document: digestOf(document) })}\n`);
}
