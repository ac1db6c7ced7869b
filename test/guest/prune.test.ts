import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf, hexOf } from "../../src/common/digest.ts";
import { keyFileName } from "../../src/guest/certificates.ts";
import { converge } from "../../src/guest/converge.ts";
import { prune } from "../../src/guest/prune.ts";
import { makeCertificate } from "../support/certificates.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fakeHost } from "./fake-host.ts";

describe("prune", () => {
  it("keeps what the releases name and removes the rest, also what a broken fetch left", async () => {
    const { host, paths, release } = await fakeHost();
    const [old, next] = [await release(1, { output: 0.25 }), await release(2, { output: 0.5 }, 2)];
    const last = await release(3, { output: 0.75 }, 2);
    for (const manifest of [old, next, last]) await converge(host, manifest, { restart: ["runtime", "frontend"] });
    mkdirSync(join(paths.models, `${hexOf(digestOf("x"))}.Ab12`));
    writeFileSync(join(paths.models, "notes"), "");
    await prune(paths, [next, last]);
    const models = [next, last].map(({ models }) => hexOf(models[0]?.digest ?? digestOf("")));
    expect(readdirSync(paths.models).sort()).toEqual([...models, "registry.json", "registry.lock", "notes"].sort());
    expect(readdirSync(paths.payloads)).toEqual([hexOf(last.payload.digest)]);
    const layers = [last.payload.runtime, last.payload.app].map(({ digest }) => hexOf(digest));
    expect(readdirSync(paths.layers).sort()).toEqual(layers.sort());
    expect(await converge(host, next, { restart: ["runtime"] })).toEqual([0.5, 0.5]);
  });

  it("keeps the keys of the releases' certificates", async () => {
    const { paths, release } = await fakeHost();
    const folder = temporaryFolder();
    const pair = (name: string) => makeCertificate(folder, name, { san: "DNS:x" });
    const [old, next] = [pair("old"), pair("next")];
    mkdirSync(paths.keys, { recursive: true });
    for (const { cert, key } of [old, next]) writeFileSync(join(paths.keys, keyFileName(cert)), key);
    const settings = { aiengine: { cert: next.cert, ca: next.cert, settings: {} } };
    await prune(paths, [await release(1, { output: 0.5 }, 1, settings)]);
    expect(readdirSync(paths.keys)).toEqual([keyFileName(next.cert)]);
  });

  it("does not mind a host that has nothing yet", async () => {
    const { paths } = await fakeHost();
    await expect(prune(paths, [])).resolves.toBeUndefined();
  });
});
