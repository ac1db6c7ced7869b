import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { packageTar } from "../../../src/serving/models/package.ts";
import { addVersion, useAsDefault, useVersion } from "../../../src/serving/models/registry.ts";
import { updateRegistry } from "../../../src/serving/models/registry-file.ts";
import { publishPackage } from "../../../src/serving/models/shelf.ts";

let modelsDir: string;
beforeEach(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), "slipway-shelf-"));
});
afterEach(() => rm(modelsDir, { recursive: true, force: true }));

async function publish(variant: "development" | "production", name: string): Promise<string> {
  const { bytes, digest } = await packageTar(
    await importAnyModel(join(import.meta.dirname, "../../../models/diabetes", variant)),
  );
  return (await publishPackage(modelsDir, bytes, digest, name)).version;
}

it("counts a name's versions, one for each digest", async () => {
  await updateRegistry(modelsDir, (registry) => {
    const other = { name: "other", version: "1", digest: `sha256:${"0".repeat(64)}` } as const;
    return useAsDefault(useVersion(addVersion(registry, other), "other", "1"), "other");
  });
  expect(await publish("development", "risk")).toBe("1");
  expect(await publish("production", "risk")).toBe("2");
  expect(await publish("development", "risk")).toBe("1");
});

it("leaves whole numbers under the default model's name to releases", async () => {
  await updateRegistry(modelsDir, (registry) => {
    const released = { name: "diabetes", version: "3", digest: `sha256:${"1".repeat(64)}` } as const;
    return useAsDefault(useVersion(addVersion(registry, released), "diabetes", "3"), "diabetes");
  });
  expect(await publish("development", "diabetes")).toBe("3.1");
  expect(await publish("production", "diabetes")).toBe("3.2");
  await updateRegistry(modelsDir, (registry) =>
    addVersion(registry, { name: "diabetes", version: "4", digest: `sha256:${"2".repeat(64)}` }),
  );
});
