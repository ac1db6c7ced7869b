import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "../../../src/common/process.ts";
import { exampleModel } from "../support.ts";

it("ONNX Runtime keeps no records of its use", async () => {
  const cache = await mkdtemp(join(tmpdir(), "slipway-telemetry-"));
  const { ORT_DISABLE_TELEMETRY: _set, ...env } = process.env;
  const module = join(import.meta.dirname, "../../../src/serving/models/import.ts");
  const script = `await (await import(${JSON.stringify(module)})).importModel(${JSON.stringify(exampleModel("production"))})`;
  try {
    await run(process.execPath, ["--input-type=module", "-e", script], { env: { ...env, XDG_CACHE_HOME: cache } });
    expect(await readdir(cache)).toEqual([]);
  } finally {
    await rm(cache, { recursive: true });
  }
});
