import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { Busboy, type BusboyConfig, type BusboyInstance } from "@fastify/busboy";
import { messageOf } from "../../../common/errors.ts";
import { HttpError } from "../errors.ts";

const MOST_FIELDS = 20;

/**
 * The first file of a form, as it arrives; no more than `maxBytes` and one of it. By the parser alone: as a plugin it has something to do for
 * every request, forms or not. Rejects with HttpError 400 where there is no file, or no form.
 * @param field what the file's field must be called; any name without it
 */
export function fileOfForm(
  headers: IncomingHttpHeaders,
  body: Readable,
  maxBytes: number,
  field?: string,
): Promise<Readable> {
  return new Promise((resolve, reject) => {
    let file: Readable | undefined;
    const fail = (reason: string) => {
      body.unpipe();
      reject(new HttpError(400, "CSV_INVALID", reason));
      file?.destroy(new Error(reason));
    };
    const parser = parserOf(headers as BusboyConfig["headers"], maxBytes, fail);
    if (!parser) return;
    parser.once("file", (name: string, stream: Readable) => {
      file = stream;
      stream.on("error", () => undefined); // whoever reads it is told
      if (field !== undefined && name !== field) return fail(`the form's file is not named ${field}`);
      // the form goes on when whoever waits for the file listens: its end, or its failure, is told once
      body.unpipe(parser);
      resolve(stream);
      setImmediate(() => body.pipe(parser));
    });
    parser.once("finish", () => reject(new HttpError(400, "CSV_INVALID", "the form has no file")));
    parser.on("error", (error: unknown) => fail(`the form cannot be read: ${messageOf(error)}`));
    body.once("close", () => {
      if (!body.readableEnded) fail("the form ends early");
    });
    body.pipe(parser);
  });
}

function parserOf(
  headers: BusboyConfig["headers"],
  maxBytes: number,
  fail: (reason: string) => void,
): BusboyInstance | undefined {
  try {
    return new Busboy({ headers, limits: { fileSize: maxBytes + 1, files: 1, fields: MOST_FIELDS } });
  } catch (error) {
    fail(`the form cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}
