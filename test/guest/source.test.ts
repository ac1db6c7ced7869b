import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/common/digest.ts";
import { ensureFetched } from "../../src/guest/source.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serveFiles } from "./file-server.ts";

const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
const half = content.length / 2;

/** Fetches `content` from a server that answers the first time with its first half, and then as told. */
async function fetchTorn(then: (request: IncomingMessage, response: ServerResponse) => void) {
  const ranges: (string | undefined)[] = [];
  const url = await serveFiles(new Map(), (request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 1) then(request, response);
    else {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, half), () => response.destroy());
    }
    return true;
  });
  const file = join(await temporaryFolder(), "file");
  const ref = { path: "it", digest: digestOf(content), size: content.length };
  const fetched = ensureFetched(url, ref, file, 20_000).then(() => readFile(file));
  return { fetched: await fetched.catch((error: Error) => error), ranges };
}

function sendRest(request: IncomingMessage, response: ServerResponse, of = content): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (from === 0) return void response.writeHead(200).end(of);
  const range = `bytes ${from}-${of.length - 1}/${of.length}`;
  response.writeHead(206, { "content-range": range }).end(of.subarray(from));
}

describe("a file whose transfer was torn", () => {
  it("goes on from where it broke off", async () => {
    const { fetched, ranges } = await fetchTorn(sendRest);
    expect(fetched).toEqual(content);
    expect(ranges).toEqual([undefined, `bytes=${half}-`]);
  });

  it("is sent as a whole by a server that knows no ranges", async () => {
    const { fetched, ranges } = await fetchTorn((_request, response) => void response.writeHead(200).end(content));
    expect(fetched).toEqual(content);
    expect(ranges).toEqual([undefined, `bytes=${half}-`]);
  });

  it("begins anew where its parts are not of one file, or there is no rest", async () => {
    let asked = 0;
    const other = Buffer.alloc(content.length, 1);
    const mixed = await fetchTorn((request, response) => sendRest(request, response, asked++ === 0 ? other : content));
    expect(mixed.fetched).toEqual(content);
    expect(mixed.ranges).toEqual([undefined, `bytes=${half}-`, undefined]);
    const shorter = await fetchTorn((request, response) =>
      request.headers.range === undefined ? void response.end(content) : void response.writeHead(416).end(),
    );
    expect(shorter.fetched).toEqual(content);
  });

  it("is refused where a whole one is not what its digest says", async () => {
    const { fetched } = await fetchTorn((_request, response) => void response.end("something else"));
    expect(fetched).toMatchObject({ message: expect.stringContaining("the manifest names") });
  });
});
