import { type FileHandle, open, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { isErrno, messageOf } from "../../../common/errors.ts";
import { type ExternalTensor, outlineOf } from "./inspect.ts";
import { invalidOnnx } from "./invalid.ts";
import { visitMessage } from "./structure.ts";
import { delimitedHead } from "./wire.ts";

const RAW_DATA = 9;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;

/** Bytes in place of others, in pieces. `undefined` where nothing changes. */
type Rewritten = { pieces: Uint8Array[]; length: number } | undefined;

/**
 * The file with the data that it has in other files of its folder.
 * @param data of the external tensors, in the order of `outlineOf`
 */
function withData(bytes: Uint8Array, data: readonly Uint8Array[]): Uint8Array {
  let next = 0;
  const rewritten = visitMessage<Rewritten>(bytes, (kind, fields) => {
    const isExternal =
      kind === "tensor" &&
      fields.some(
        ({ field }) => field.number === EXTERNAL_DATA || (field.number === DATA_LOCATION && field.value === 1),
      );
    if (!isExternal && !fields.some(({ child }) => child)) return undefined;
    const pieces: Uint8Array[] = [];
    for (const { field, child } of fields) {
      if (isExternal && [RAW_DATA, EXTERNAL_DATA, DATA_LOCATION].includes(field.number)) continue;
      if (child) pieces.push(delimitedHead(field.number, child.length), ...child.pieces);
      else pieces.push(bytes.subarray(field.tagStart, field.end));
    }
    if (isExternal) {
      const content = data[next++] as Uint8Array;
      pieces.push(delimitedHead(RAW_DATA, content.length), content);
    }
    return { pieces, length: pieces.reduce((sum, { length }) => sum + length, 0) };
  });
  return rewritten ? Buffer.concat(rewritten.pieces, rewritten.length) : bytes;
}

/**
 * An ONNX file that needs no other: what it keeps in files of its folder is put into it.
 * @param mostBytes that it may come to
 * @throws SlipwayError E_MODEL_INVALID naming the tensor whose data lies elsewhere, is missing, or is too much
 */
export async function selfContained(bytes: Uint8Array, folder: string, mostBytes: number): Promise<Uint8Array> {
  const { external } = outlineOf(bytes);
  if (external.length === 0) return bytes;
  const root = await realpath(folder);
  const data: Uint8Array[] = [];
  let total = bytes.length;
  for (const tensor of external) {
    const content = await dataOf(tensor, root, mostBytes - total);
    data.push(content);
    total += content.length;
  }
  return withData(bytes, data);
}

async function dataOf(tensor: ExternalTensor, root: string, room: number): Promise<Uint8Array> {
  const { name, location, offset, length } = tensor;
  const refuse = (reason: string) =>
    invalidOnnx(
      `the data of tensor ${name} ${reason}`,
      "Keep it in a file of the model's own folder, or inside the ONNX file.",
    );
  if (location === "" || isAbsolute(location) || location.split(/[\\/]/).includes("..") || location.includes("\0")) {
    throw refuse(`lies outside of the model's folder: ${JSON.stringify(location)}`);
  }
  const path = join(root, location);
  const real = await realpath(path).catch((error: unknown) => {
    throw refuse(isErrno(error, "ENOENT") ? `is missing: there is no ${location}` : messageOf(error));
  });
  const inside = relative(root, real);
  if (inside.startsWith(`..${sep}`) || inside === ".." || isAbsolute(inside)) {
    throw refuse(`lies outside of the model's folder: ${location} is a link`);
  }
  const file = await open(real);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse(`is in ${location}, which is no file`);
    const size = length ?? stat.size - offset;
    if (size < 0 || offset + size > stat.size) throw refuse(`ends beyond ${location}`);
    if (size > room) throw refuse("makes the model too large");
    return await readAt(file, offset, size);
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, offset: number, size: number): Promise<Uint8Array> {
  const content = Buffer.alloc(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await file.read(content, done, size - done, offset + done);
    if (bytesRead === 0) break; // it was cut while it was read; what is missing is zeros, and the golden rows tell
    done += bytesRead;
  }
  return content;
}
