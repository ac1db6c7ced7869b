import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, digestOf, hexOf } from "../../src/common/digest.ts";
import { run } from "../../src/common/process.ts";
import type { Host } from "../../src/guest/host.ts";
import { type JournalEntry, parseJournal } from "../../src/guest/journal.ts";
import { JournalWriter } from "../../src/guest/journal-writer.ts";
import { type Manifest, sealManifest } from "../../src/guest/manifest.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import { writeArchive } from "../../src/release/archive.ts";
import { payloadDigest } from "../../src/release/payload.ts";
import { ensureSigningKey, publicKeyText } from "../../src/release/signing-key.ts";
import { entryOf, parseTokens } from "../../src/serving/access/tokens.ts";
import { classesOfWidth } from "../../src/serving/models/card.ts";
import { packageTar } from "../../src/serving/models/package.ts";
import { binaryCard } from "../serving/cards.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serveFiles } from "./file-server.ts";
import { playRuntime } from "./played-runtime.ts";

/** What a model of the test stands for: it answers `output` for every row, and says `golden` of itself, as one number of `width`. */
interface TestModel {
  output: number;
  golden?: number;
  width?: number;
  /** It does not load. */
  torn?: boolean;
}

/**
 * A host whose source, files, links and journal are real, and whose services are played: from the first start of the "runtime" on its
 * socket is served, with models that are numbers in files; a restarted "frontend" is of the payload that is current then.
 */
export async function fakeHost() {
  const root = temporaryFolder();
  const paths = guestPaths(root);
  const key = await ensureSigningKey(root);
  const files = new Map<string, Uint8Array | string>();
  const commands: string[] = [];
  const serving = { payload: "", model: "", output: Number.NaN };
  const sourceUrl = await serveFiles(files);

  const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const runtime = await playRuntime(paths, (model) => Object.assign(serving, model));
  const restart = async (unit: string) => {
    if (unit.startsWith("slipway-runtime@default-0")) await runtime.restart();
    if (unit === "slipway-frontend.service") serving.payload = json(paths.serving).payload;
  };
  /** As serving.json says: with a tokens file nobody is let in whom it does not know. */
  const recognizes = (authorization = "") => {
    const { tokensFile } = json(paths.serving).frontend;
    if (tokensFile === undefined) return true;
    const token = authorization.replace(/^Bearer /, "");
    return entryOf(token, parseTokens(readFileSync(tokensFile, "utf8"))) !== undefined;
  };
  const frontend = await serveFiles(new Map(), (request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const rows: unknown[] = body === "" ? [] : JSON.parse(body).rows;
      const answers: Record<string, unknown> = {
        "/v2/health/ready": { ready: true },
        "/version": { payload: serving.payload, model: { digest: serving.model } },
        "/v1/predict": { predictions: rows.map(() => ({ probability: serving.output, class: 0 })) },
      };
      const known = recognizes(request.headers.authorization);
      if (!known && request.url !== "/v2/health/ready") response.statusCode = 401;
      response.end(JSON.stringify(answers[request.url ?? ""]));
    });
    return true;
  });

  const host: Host = {
    config: {
      schemaVersion: 1,
      stack: "production",
      host: "server",
      generation: "g1",
      sourceUrl,
      publicKey: publicKeyText(key),
      roles: { frontend: { port: 5100 }, runtime: {} },
    },
    paths,
    journal: new JournalWriter(paths.journal, join(root, "console"), "b00"),
    frontendUrl: () => frontend,
    async run(command, args, options) {
      if (command === "tar") return run(command, args, options);
      commands.push([command, ...args].join(" "));
      if (command === "systemctl" && args[0] === "restart") for (const unit of args.slice(1)) await restart(unit);
      return { stdout: args.includes("NRestarts") ? "0" : "", stderr: "" };
    },
  };

  const archive = async (content: Record<string, string>) => {
    const file = join(root, "archive");
    mkdirSync(root, { recursive: true });
    await writeArchive(
      file,
      Object.entries(content).map(([name, text]) => ({ name, content: { bytes: Buffer.from(text) } })),
    );
    return offer(readFileSync(file));
  };
  const offer = (bytes: Uint8Array) => {
    const digest: Digest = digestOf(bytes);
    const path = `files/${hexOf(digest)}`;
    files.set(path, bytes);
    return { path, digest, size: bytes.length };
  };
  /** A release in the source, with a payload of that number. */
  const release = async (
    sequence: number,
    model: TestModel,
    payloadNumber = 1,
    settings: Manifest["settings"] = {},
  ): Promise<Manifest> => {
    const runtime = await archive({ "bin/node": "" });
    const app = await archive({ "bootstrap.mjs": `${payloadNumber}` });
    const { output, golden = output, width = 1 } = model;
    const row = [golden, ...new Array<number>(width - 1).fill(0)];
    const { bytes } = await packageTar({
      card: {
        ...binaryCard(1),
        outputs: [{ name: "output", datatype: "FP32", shape: [-1, width] }],
        rows: { input: { name: "input", features: 1 }, output: classesOfWidth("output", width) },
      },
      onnx: Buffer.from(JSON.stringify(model)),
      golden: { rows: [[1], [2]], outputs: [...row, ...row], source: "test" },
      data: undefined,
    });
    const packed = offer(bytes);
    return {
      schemaVersion: 1,
      stack: "production",
      sequence,
      payload: { digest: payloadDigest(runtime, app), runtime, app },
      models: [{ name: "m", version: String(sequence), ...packed }],
      settings,
    };
  };
  const publish = (manifest: Manifest) => files.set("manifest", sealManifest(manifest, key));
  const seal = (manifest: Manifest) => sealManifest(manifest, key);
  const entries = (): JournalEntry[] => parseJournal(readFileSync(paths.journal, "utf8")).map(({ entry }) => entry);
  writeFileSync(join(root, "console"), "");
  return { host, paths, files, commands, serving, release, publish, seal, entries };
}
