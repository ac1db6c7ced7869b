import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/common/process.ts";
import { type DownloadLimits, downloadedModel } from "../../src/release/downloaded-model.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
const hex = createHash("sha256").update(content).digest("hex");
let server: Server;
let folder: string;
/** What the server was asked, and how it answers. */
let asked: { range: string | undefined; match: string | undefined }[];
let answer: (response: ServerResponse, from: number) => void;

beforeEach(async () => {
  folder = temporaryFolder();
  asked = [];
  answer = (response, from) => {
    const length = { "content-length": content.length - from, etag: '"one"' };
    response.writeHead(from > 0 ? 206 : 200, length).end(content.subarray(from));
  };
  server = createServer((request, response) => {
    const { range, "if-none-match": match } = request.headers;
    asked.push({ range, match });
    if (match === '"one"') return void response.writeHead(304).end();
    answer(response, Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** The real downloader over the real network; TLS alone is left out. */
function download(name = "model.onnx", limits: Partial<DownloadLimits> = {}, signal = new AbortController().signal) {
  const { port } = server.address() as AddressInfo;
  return downloadedModel(`https://127.0.0.1:${port}/${name}`, {
    log: () => undefined,
    signal,
    folder,
    limits: { pauseMs: 1, ...limits },
    fetch: (url, init) => fetch(String(url).replace(/^https:/, "http:"), init),
  });
}

describe("a model at an address", () => {
  it("is downloaded once, by its digest, and asked for again only whether it has changed", async () => {
    const path = await download();
    expect(path).toBe(join(folder, hex, "model.onnx"));
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(await download()).toBe(path);
    expect(asked).toEqual([
      { range: undefined, match: undefined },
      { range: undefined, match: '"one"' },
    ]);
  });

  it("goes on where it broke off, in the same command and in the next", async () => {
    const good = answer;
    answer = (response, from) => {
      if (from >= 60_000) return good(response, from);
      response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from, etag: '"one"' });
      response.write(content.subarray(from, from + 30_000), () => setTimeout(() => response.destroy(), 300));
    };
    await expect(download("model.onnx", { tries: 0 })).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
    expect(readFileSync(await download()).equals(content)).toBe(true);
    expect(asked.some(({ range }) => range !== undefined)).toBe(true);
  });

  it("that stalls is tried again, and given up", async () => {
    answer = (response) => void response.writeHead(200, { etag: '"one"' }).write("x");
    await expect(download("model.onnx", { stallMs: 50, tries: 2 })).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringContaining("no byte came for 0.05 s"),
    });
  });

  it.each([
    ["announced", true],
    ["that just comes", false],
  ])("larger than may be, %s, is refused at once", async (_, announced) => {
    answer = (response) => {
      response.writeHead(200, announced ? { "content-length": content.length } : {}).end(content);
    };
    await expect(download("model.onnx", { bytes: 50_000 })).rejects.toMatchObject({
      message: expect.stringContaining("larger than 50000 bytes"),
    });
    expect(asked).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("that is not there is not asked for again", async () => {
    answer = (response) => void response.writeHead(404).end();
    await expect(download()).rejects.toMatchObject({ message: expect.stringContaining("the server answers 404") });
    expect(asked).toHaveLength(1);
  });

  it("with a pinned digest is that one, and then not asked for at all", async () => {
    await expect(download(`model.onnx#sha256=${"0".repeat(64)}`)).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringContaining(`has the digest sha256:${hex}`),
    });
    const before = asked.length;
    expect(await download(`model.onnx#sha256=${hex}`)).toContain(hex);
    expect(asked).toHaveLength(before);
  });

  it("ends with the command", async () => {
    answer = (response) => void response.writeHead(200).write("x");
    await expect(download("model.onnx", {}, AbortSignal.timeout(100))).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it.each([
    "http://example.org/model.onnx",
    "https://example.org/model.exe",
    "https://example.org/m.onnx#md5=1",
    "file:///m.onnx",
  ])("%s is no such address", async (address) => {
    await expect(
      downloadedModel(address, { log: () => undefined, signal: new AbortController().signal, folder }),
    ).rejects.toMatchObject({ code: "E_USAGE" });
  });
});

describe("an archive at an address", () => {
  async function serve(fill: (folder: string) => void): Promise<void> {
    const packed = temporaryFolder();
    fill(packed);
    const file = join(temporaryFolder(), "m.tar.gz");
    await run("tar", ["-C", packed, "-czf", file, "."]);
    const bytes = readFileSync(file);
    answer = (response) => void response.writeHead(200, { etag: '"two"' }).end(bytes);
  }

  it("is the folder that it holds", async () => {
    await serve((packed) => {
      writeFileSync(join(packed, "model.json"), "{}");
      writeFileSync(join(packed, "model.h5"), "weights");
    });
    const path = await download("m.tar.gz");
    expect(readdirSync(path).sort()).toEqual(["model.h5", "model.json"]);
    expect(await download("m.tar.gz")).toBe(path);
  });

  it.each<[string, (packed: string) => void, RegExp]>([
    ["a link", (packed) => symlinkSync("/etc/passwd", join(packed, "model.onnx")), /is a symlink/],
    [
      "files far below",
      (packed) => {
        mkdirSync(join(packed, "a/b"), { recursive: true });
        writeFileSync(join(packed, "a/b/model.onnx"), "");
      },
      /lies elsewhere/,
    ],
    [
      "more than may be",
      (packed) => writeFileSync(join(packed, "model.onnx"), Buffer.alloc(300_000)),
      /holds more than/,
    ],
  ])("with %s is refused, and leaves nothing", async (_, fill, reason) => {
    await serve(fill);
    await expect(download("m.tar.gz", { bytes: 200_000 })).rejects.toMatchObject({
      code: "E_MODEL_INVALID",
      message: expect.stringMatching(reason),
    });
    const [digest = ""] = readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
    expect(readdirSync(join(folder, digest))).toEqual(["m.tar.gz"]);
  });
});
