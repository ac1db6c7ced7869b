import type { Dataset, File, Group, h5wasm } from "h5wasm/node";
import { messageOf, SlipwayError } from "../../../../common/errors.ts";
import { invalid } from "../errors.ts";
import type { WeightArray } from "../graph.ts";
import { MOST_DESCRIPTION_BYTES } from "../json.ts";

type Hdf5 = typeof h5wasm;

/** Bytes of all arrays that are read, as float32: an ONNX file cannot hold more than 2 GiB, nor a small host twice that. */
const MOST_WEIGHT_BYTES = 1024 ** 3;
const DEEPEST_FOLDER = 64;
const MOST_FOLDERS = 100_000;

/** An open HDF5 file, read with what a file that is not to be trusted may cost in mind. */
export class Hdf5File {
  private readonly hdf5: Hdf5;
  private readonly file: File;
  private bytes = 0;
  private folders = 0;

  constructor(hdf5: Hdf5, file: File) {
    this.hdf5 = hdf5;
    this.file = file;
  }

  get root(): Group {
    return this.file;
  }

  /** A text attribute; undefined without. */
  text(group: Group, name: string): string | undefined {
    const value = this.attribute(group, name);
    return typeof value === "string" ? value : undefined;
  }

  /** A list of texts, also one that was too long for one attribute and is spread over `name0`, `name1` and so on. */
  texts(group: Group, name: string): string[] | undefined {
    const whole = this.attribute(group, name);
    // an empty list of names is stored as an empty array of numbers
    if (whole !== undefined) return Array.isArray(whole) ? whole.map(String) : [];
    const parts: string[] = [];
    for (let part = 0; part < MOST_FOLDERS; part++) {
      const value = this.attribute(group, `${name}${part}`);
      if (!Array.isArray(value)) return part === 0 ? undefined : parts;
      for (const item of value) parts.push(String(item));
    }
    throw new Error(`the attribute ${name} has no end`);
  }

  private attribute(group: Group, name: string): unknown {
    const attribute = group.attrs[name];
    if (attribute === undefined) return undefined;
    if (attribute.metadata.total_size * Math.max(1, attribute.metadata.size) > MOST_DESCRIPTION_BYTES) {
      throw new Error(`the attribute ${name} is larger than a description`);
    }
    return attribute.value ?? undefined;
  }

  group(parent: Group, path: string): Group | undefined {
    const found = this.entity(parent, path);
    return found instanceof this.hdf5.Group ? found : undefined;
  }

  private entity(parent: Group, path: string): unknown {
    if (++this.folders > MOST_FOLDERS) throw new Error("it has more groups than a model");
    return parent.get(path);
  }

  /** An array of numbers, as float32. */
  array(parent: Group, path: string): Omit<WeightArray, "name"> {
    const dataset = this.entity(parent, path);
    if (!(dataset instanceof this.hdf5.Dataset)) throw new Error(`${parent.path}/${path} is missing`);
    const shape = this.boundedShape(dataset);
    const { value } = dataset;
    const numbers = typeof value === "number" || typeof value === "bigint" ? [value] : value;
    if (!isNumbers(numbers)) throw new Error(`${dataset.path} does not hold numbers`);
    const values = numbers instanceof Float32Array ? numbers : Float32Array.from(numbers as ArrayLike<number>, Number);
    return { shape, values };
  }

  /** Checked before anything is read: a compressed file of a few kilobytes can declare terabytes. */
  private boundedShape(dataset: Dataset): number[] {
    const { shape, metadata } = dataset;
    if (shape === null || metadata.virtual_sources?.length)
      throw new Error(`${dataset.path} holds no array of its own`);
    const size = shape.reduce((product, length) => product * length, 1);
    this.bytes += 4 * size;
    if (!(this.bytes <= MOST_WEIGHT_BYTES)) throw new Error(`its arrays are larger than ${MOST_WEIGHT_BYTES} bytes`);
    return shape;
  }

  /** All groups below one with their paths from it, `skip` and what is below it left out. */
  *groupsBelow(
    parent: Group,
    skip: ReadonlySet<string>,
    path = "",
    depth = 0,
  ): Generator<{ path: string; group: Group }> {
    if (depth > DEEPEST_FOLDER) throw new Error("its groups are nested without end");
    for (const name of parent.keys()) {
      if (skip.has(name) && depth === 0) continue;
      const group = this.group(parent, name);
      if (group === undefined) continue;
      const below = path === "" ? name : `${path}/${name}`;
      yield { path: below, group };
      yield* this.groupsBelow(group, skip, below, depth + 1);
    }
  }
}

function isNumbers(value: unknown): value is ArrayLike<number | bigint> {
  if (Array.isArray(value)) return value.every((item) => typeof item === "number" || typeof item === "bigint");
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * Opens an HDF5 file while `read` reads it. After an error libhdf5 may be left in a state in which it misreads the next file.
 * @param name what the file is called in errors
 * @throws SlipwayError E_MODEL_INVALID when it is damaged
 */
export async function readHdf5<Result>(path: string, name: string, read: (file: Hdf5File) => Result): Promise<Result> {
  // Imported here: starting libhdf5's WebAssembly costs a fifth of a second, and only an import needs it.
  const { default: hdf5 } = await import("h5wasm/node");
  const module = await hdf5.ready;
  module.activate_throwing_error_handler(); // else libhdf5 prints its stack and answers nonsense
  const restore = allowOnly(module.FS as unknown as FileOpening, path);
  let file: File | undefined;
  try {
    file = new hdf5.File(path, "r");
    return read(new Hdf5File(hdf5, file));
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw invalid(`${name} cannot be read: ${rootCauseIn(messageOf(error))}`);
  } finally {
    closeQuietly(file);
    restore();
  }
}

/** The part of libhdf5's view of the file system by which it opens files. */
interface FileOpening {
  open(path: string, flags: number, ...rest: unknown[]): unknown;
  ErrnoError: new (errno: number) => Error;
}

/** `EACCES` in WASI's numbers. */
const ACCESS_DENIED = 2;
/** `O_CREAT` and `O_EXCL`: a file that was not there before, such as that by which libhdf5 hands over its errors. */
const NEW_FILE = 0o300;

/**
 * Keeps libhdf5 from opening any other file: an HDF5 file may say that an array's numbers, or a group, are in another one, and could
 * so read whatever its reader may read. Reading is not interrupted by anything else, so that it concerns this file only.
 * @returns what lifts it
 */
function allowOnly(files: FileOpening, path: string): () => void {
  const { open } = files;
  files.open = (asked, flags, ...rest) => {
    if (asked !== path && (flags & NEW_FILE) !== NEW_FILE) throw new files.ErrnoError(ACCESS_DENIED);
    return open.call(files, asked, flags, ...rest);
  };
  return () => {
    files.open = open;
  };
}

/** A file that was damaged enough cannot be closed either. */
function closeQuietly(file: File | undefined): void {
  try {
    file?.close();
  } catch {
    // what reading it has thrown tells more
  }
}

/** libhdf5 tells a whole stack, `#006: <file> line 577 in <function>(): <what>`, innermost last. */
function rootCauseIn(message: string): string {
  return [...message.matchAll(/^ *#\d+: .* in \w+\(\): (.*)$/gm)].at(-1)?.[1] ?? message;
}
