import { readFile, stat } from "node:fs/promises";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import { daemonFiles } from "../daemon-info.ts";

/** Bytes; it goes to each guest many times over. */
const longest = 65_536;

/**
 * What all guests of a cloud are told as vendordata: what a file says that is given, else what the last one said, else nothing (`{}`). Kept
 * for the next start.
 * @throws SlipwayError E_CONFIG_INVALID for a file that cannot be read, is no JSON, or has over 64 KiB
 */
export async function keptVendordata(stateDir: string, file: string | undefined): Promise<unknown> {
  const path = daemonFiles(stateDir).vendordata;
  const kept = await readTextIfExists(path);
  if (file === undefined) return kept === undefined ? {} : JSON.parse(kept);
  const text = await readVendordata(file);
  if (text !== kept) await writeFileAtomic(path, text);
  return JSON.parse(text);
}

/** Whether a cloud that runs tells its guests what a file says. @throws SlipwayError as {@link keptVendordata} */
export async function isKeptVendordata(stateDir: string, file: string): Promise<boolean> {
  const kept = (await readTextIfExists(daemonFiles(stateDir).vendordata)) ?? "{}";
  return kept === (await readVendordata(file));
}

/** As JSON on one line. */
async function readVendordata(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > longest) throw new Error(`it has ${size} bytes, and ${longest} are the most`);
    return JSON.stringify(JSON.parse(await readFile(file, "utf8")));
  } catch (cause) {
    throw new SlipwayError("E_CONFIG_INVALID", `vendordata ${file} cannot be used: ${messageOf(cause)}`, {
      hint: "Give a file with JSON, as cloud-init reads it: an object with user-data of the operator's own under `cloud-init`.",
      cause,
    });
  }
}
