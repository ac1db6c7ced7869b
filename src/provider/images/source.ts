import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { SlipwayError } from "../../common/errors.ts";
import type { PropertyMap } from "../../engine/resource-provider.ts";
import type { Image } from "../../openstack/image/images.ts";
import type { Context } from "../kind.ts";
import { textOf } from "../schema/values.ts";
import { serially } from "../serial.ts";

/** What was sent. */
export interface Sent {
  /** MD5, hex. */
  md5: string;
}

/**
 * Gives an image its content: Glance fetches it (`webDownload`), or it is sent from a local file, or from an address by way of the
 * cache folder.
 * @returns what was sent; undefined where Glance fetches it
 * @throws SlipwayError E_UPDATE_FAILED for a file or an address that gives nothing
 */
export async function deliverContent(context: Context, id: string, inputs: PropertyMap): Promise<Sent | undefined> {
  const url = textOf(inputs, "imageSourceUrl");
  if (inputs.webDownload === true) {
    await context.session.request("image", "POST", `/images/${id}/import`, {
      body: { method: { name: "web-download", uri: url ?? "" } },
      expect: [202],
    });
    return undefined;
  }
  const local = textOf(inputs, "localFilePath");
  if (local === undefined && url === undefined) throw failed("neither localFilePath nor imageSourceUrl is given");
  const file = local === undefined ? await cached(context, url ?? "", inputs) : local.replace(/^~(?=\/|$)/, homedir());
  const { size } = await stat(file).catch((cause: unknown) => {
    throw failed(`the image's file ${file} cannot be read`, cause);
  });
  await context.session.request("image", "PUT", `/images/${id}/file`, {
    body: () => createReadStream(file),
    headers: { "content-type": "application/octet-stream", "content-length": String(size) },
    expect: [204],
    timeoutMs: context.timeoutMs,
  });
  return { md5: await md5Of(file) };
}

/** @throws SlipwayError E_UPDATE_FAILED where Glance has another content than was sent; a Glance that tells no sum is believed */
export function demandSum(image: Image | undefined, { md5 }: Sent): void {
  const sum = image?.checksum;
  if (typeof sum !== "string" || sum === md5) return;
  throw failed(`image ${image?.name} (${image?.id}) has the MD5 ${sum}, not ${md5} as it was sent`);
}

/** The downloaded content: named by the address, once for all images of it. */
async function cached(context: Context, url: string, inputs: PropertyMap): Promise<string> {
  const folder = textOf(inputs, "imageCachePath") ?? join(homedir(), ".terraform/image_cache");
  const unpacked = inputs.decompress === true;
  const file = join(folder, `${createHash("md5").update(url).digest("hex")}${unpacked ? ".unpacked" : ""}.img`);
  return serially(`download ${file}`, async () => {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (!isThere) await download(context, url, file, inputs);
    return file;
  });
}

async function download(context: Context, url: string, file: string, inputs: PropertyMap): Promise<void> {
  const user = textOf(inputs, "imageSourceUsername");
  const login = `${user}:${textOf(inputs, "imageSourcePassword") ?? ""}`;
  const deadline = AbortSignal.timeout(context.timeoutMs);
  const answer = await fetch(url, {
    signal: context.signal === undefined ? deadline : AbortSignal.any([deadline, context.signal]),
    ...(user === undefined ? {} : { headers: { authorization: `Basic ${Buffer.from(login).toString("base64")}` } }),
  }).catch((cause: unknown) => {
    throw failed(`${url} does not answer`, cause);
  });
  if (!answer.ok || answer.body === null) throw failed(`${url} answered ${answer.status}`);
  const unpack = inputs.decompress === true ? unpacker(url, answer.headers.get("content-type") ?? "") : [];
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.${randomUUID()}.part`;
  try {
    await pipeline([Readable.fromWeb(answer.body), ...unpack, createWriteStream(part)]);
    await rename(part, file);
  } catch (cause) {
    throw failed(`${url} could not be downloaded`, cause);
  } finally {
    await rm(part, { force: true });
  }
}

function unpacker(url: string, type: string): NodeJS.ReadWriteStream[] {
  if (/^application\/(x-)?gzip\b/.test(type)) return [createGunzip()];
  throw new SlipwayError("E_UNSUPPORTED", `${url} is of type ${type || "unknown"}, which cannot be decompressed here`, {
    hint: "Decompress the image by hand and give it as localFilePath, or offer it as application/gzip.",
  });
}

async function md5Of(file: string): Promise<string> {
  const hash = createHash("md5");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

function failed(what: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_UPDATE_FAILED", what, { hint: "Mend it and run the command again.", cause });
}
