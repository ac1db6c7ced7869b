import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, digestOf, hexOf } from "../../src/common/digest.ts";
import { run } from "../../src/common/process.ts";
import type { Host } from "../../src/guest/host.ts";
import { type JournalEntry, parseJournal } from "../../src/guest/journal.ts";
import { JournalWriter } from "../../src/guest/journal-writer.ts";
import { type Manifest, sealManifest } from "../../src/guest/manifest.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import { gateSchema } from "../../src/guest/release-terms.ts";
import { writeArchive } from "../../src/release/archive.ts";
import { payloadDigest } from "../../src/release/payload.ts";
import { ensureSigningKey, publicKeyText } from "../../src/release/signing-key.ts";
import { classesOfWidth } from "../../src/serving/models/card.ts";
import { packageTar } from "../../src/serving/models/package.ts";
import type { ModelIdentity } from "../../src/serving/models/registry.ts";
import { binaryCard } from "../serving/cards.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serveFiles } from "./file-server.ts";
import { type Meddling, playRuntime, type TestModel } from "./played-runtime.ts";
import { hostFrontend } from "./real-frontend.ts";

/**
 * A host whose source, files, links and journal are real, as its frontend is; only systemd is played, and the runtime has models that are
 * numbers in files. Both are there from their first start on, and a restarted one is of what the host's files say then.
 */
export async function fakeHost() {
  const root = temporaryFolder();
  const paths = guestPaths(root);
  const key = await ensureSigningKey(root);
  const files = new Map<string, Uint8Array | string>();
  const commands: string[] = [];
  const meddling: Meddling = {};
  const sourceUrl = await serveFiles(files);

  const runtime = await playRuntime(paths, meddling);
  const frontend = hostFrontend(paths);
  /** What systemd does with a unit. */
  const systemd: Record<string, (unit: string) => Promise<void> | void> = {
    start: async (unit) => {
      const instance = frontendIn(unit);
      if (instance) await frontend.start(instance);
    },
    stop: async (unit) => {
      const instance = frontendIn(unit);
      if (instance) await frontend.stop(instance);
    },
    restart: async (unit) => {
      if (unit.startsWith("slipway-runtime@default-0")) await runtime.restart();
      await systemd.stop?.(unit);
      await systemd.start?.(unit);
    },
    enable: (unit) => {
      const wants = unit.endsWith(".socket") ? paths.enabledSockets : paths.enabledUnits;
      mkdirSync(wants, { recursive: true });
      writeFileSync(join(wants, unit), "");
    },
    disable: (unit) => {
      for (const wants of [paths.enabledSockets, paths.enabledUnits]) rmSync(join(wants, unit), { force: true });
    },
  };
  /** What clients are answered: by which payload and model, and the first number for a row. */
  const served = async () => {
    const url = frontend.url();
    const { payload } = (await (await fetch(`${url}/version`)).json()) as { payload: string };
    const headers = { "content-type": "application/json" };
    const asked = await fetch(`${url}/v1/predict`, { method: "POST", headers, body: '{"rows":[[1]]}' });
    const { model, predictions } = (await asked.json()) as {
      model?: ModelIdentity;
      predictions?: { probability: number }[];
    };
    return { payload, model: model?.digest, output: predictions?.[0]?.probability };
  };

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
    frontendUrl: frontend.url,
    async run(command, args, options) {
      if (command === "tar") return run(command, args, options);
      commands.push([command, ...args].join(" "));
      const [verb = "", ...units] = args.filter((arg) => !arg.startsWith("-"));
      if (command === "systemctl") for (const unit of units) await systemd[verb]?.(unit);
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
    const { output, golden = output, width = 1, input = "input" } = model;
    const row = [golden, ...new Array<number>(width - 1).fill(0)];
    const { bytes } = await packageTar({
      card: {
        ...binaryCard(1),
        inputs: [{ name: input, datatype: "FP32", shape: [-1, 1] }],
        outputs: [{ name: "output", datatype: "FP32", shape: [-1, width] }],
        rows: { input: { name: input, features: 1 }, output: classesOfWidth("output", width) },
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
      gate: gateSchema.parse({ watchSeconds: 0 }),
    };
  };
  const publish = (manifest: Manifest) => files.set("manifest", sealManifest(manifest, key));
  const seal = (manifest: Manifest) => sealManifest(manifest, key);
  const entries = (): JournalEntry[] => parseJournal(readFileSync(paths.journal, "utf8")).map(({ entry }) => entry);
  writeFileSync(join(root, "console"), "");
  return { host, paths, files, commands, meddling, runtime, frontend, served, release, publish, seal, entries };
}

function frontendIn(unit: string): "a" | "b" | undefined {
  return /^slipway-frontend@(a|b)\.service$/.exec(unit)?.[1] as "a" | "b" | undefined;
}
