import { open } from "node:fs/promises";
import { stripVTControlCharacters } from "node:util";
import { isErrno } from "../../../common/errors.ts";

/** Most of a console log that is kept in an answer; a guest may write without end. */
const maxBytes = 1024 * 1024;

/** The readable text of terminal output: no escape sequences, no control characters but newline and tab. A guest's text is untrusted. */
export function readableText(output: string): string {
  return stripVTControlCharacters(output)
    .replaceAll("\r\n", "\n")
    .replace(/[^\n\t\P{Cc}]/gu, "");
}

/** The last `lines` of a text, all of it without a number; as Nova counts: a line's end at the end of the text begins another, empty one. */
export function lastLines(text: string, lines?: number): string {
  if (lines === undefined || lines < 0) return text;
  if (lines === 0) return "";
  return text.split("\n").slice(-lines).join("\n");
}

/** A console log's text, at most its last MiB; empty where there is none. */
export async function readConsole(file: string, lines?: number): Promise<string> {
  try {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, maxBytes);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
      return lastLines(readableText(buffer.subarray(0, bytesRead).toString("utf8")), lines);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}
