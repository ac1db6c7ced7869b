import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import {
  addVersion,
  defaultModel,
  deleteVersion,
  digestsIn,
  emptyRegistry,
  loadArriving,
  loadedVersions,
  loadVersion,
  type Registry,
  retainVersions,
  rollBack,
  setTrial,
  switchVersion,
  unload,
  useAsDefault,
  useVersion,
  versionsAtStart,
} from "../../../src/serving/models/registry.ts";
import { readRegistry, updateRegistry } from "../../../src/serving/models/registry-file.ts";

const identity = (name: string, version: string) => ({ name, version, digest: digestOf(`${name} ${version}`) });
const withVersions = (...versions: string[]) =>
  versions.reduce((registry, version) => addVersion(registry, identity("m", version)), emptyRegistry);
const inUse = (...versions: string[]) =>
  versions.reduce((registry, version) => useVersion(registry, "m", version), withVersions(...versions));
const loaded = (registry: Registry) => loadedVersions(registry).map(({ version }) => version);

describe("the registry of models", () => {
  it("serves what is in use, and the first model in use by default", () => {
    const registry = useVersion(addVersion(inUse("1", "2"), identity("n", "1")), "n", "1");
    expect(loadedVersions(registry)).toEqual([
      { ...identity("m", "2"), live: true, default: true },
      { ...identity("n", "1"), live: true, default: false },
    ]);
    expect(defaultModel(useAsDefault(registry, "n"))).toEqual(identity("n", "1"));
  });

  it("switches to a version and back while both stay in memory", () => {
    const both = switchVersion(inUse("1", "2"), "m", "1");
    expect(loaded(both)).toEqual(["1", "2"]);
    expect(defaultModel(both)?.version).toBe("1");
    expect(switchVersion(both, "m", "1")).toBe(both);
    expect(defaultModel(switchVersion(both, "m", "2"))?.version).toBe("2");
    expect(defaultModel(rollBack(both, "m"))?.version).toBe("2");
  });

  it("has a version on trial beside the live one, as long as it is in memory and not live itself", () => {
    const tried = setTrial(inUse("1", "2"), "m", { version: "1", mode: "canary", percent: 10 });
    expect(loadedVersions(tried)).toEqual([
      { ...identity("m", "1"), live: false, default: false, trial: { mode: "canary", percent: 10 } },
      { ...identity("m", "2"), live: true, default: true },
    ]);
    const noTrial = expect.not.objectContaining({ trial: expect.anything() });
    for (const ended of [
      setTrial(tried, "m", undefined),
      switchVersion(tried, "m", "1"),
      useVersion(tried, "m", "1"),
      unload(tried, "m", "1"),
      deleteVersion(tried, "m", "1"),
    ]) {
      expect(loadedVersions(ended)).toEqual(loadedVersions(ended).map(() => noTrial));
      expect(ended.models.m).toEqual(noTrial);
    }
    expect(() => setTrial(tried, "m", { version: "2", mode: "shadow", percent: 1 })).toThrow(
      expect.objectContaining({ code: "E_MODEL_IN_USE" }),
    );
  });

  it("rolls back, again and again, and then no farther", () => {
    let registry = inUse("1", "2", "3");
    for (const version of ["2", "1"]) {
      registry = rollBack(registry, "m");
      expect(defaultModel(registry)?.version).toBe(version);
    }
    expect(() => rollBack(registry, "m")).toThrow(/no version that was live before/);
  });

  it("keeps versions in memory beside the live one, until they are unloaded", () => {
    const both = loadVersion(inUse("1", "2"), "m", "1");
    expect(loaded(both)).toEqual(["1", "2"]);
    expect(loaded(unload(both, "m", "1"))).toEqual(["2"]);
    expect(loaded(unload(both, "m", "2"))).toEqual(["1"]);
    expect(loaded(unload(both, "m"))).toEqual([]);
    expect(defaultModel(rollBack(unload(both, "m"), "m"))?.version).toBe("2");
  });

  it("does not let a version be another package, or go while it serves", () => {
    const registry = inUse("1");
    expect(addVersion(registry, identity("m", "1"))).toBe(registry);
    const other = { ...identity("m", "1"), digest: digestOf("other") };
    expect(() => addVersion(registry, other)).toThrow(expect.objectContaining({ code: "E_MODEL_MISMATCH" }));
    expect(() => deleteVersion(registry, "m", "1")).toThrow(expect.objectContaining({ code: "E_MODEL_IN_USE" }));
    expect(deleteVersion(unload(registry, "m"), "m", "1")).toEqual(emptyRegistry);
  });

  it.each(["__proto__", "constructor", "none"])("does not know a model %s that nobody added", (name) => {
    expect(() => useVersion(inUse("1"), name, "1")).toThrow(expect.objectContaining({ code: "E_MODEL_UNKNOWN" }));
  });

  it("forgets old versions, but never one that serves or that a rollback needs", () => {
    const registry = retainVersions(rollBack(inUse("1", "2", "3", "4"), "m"), 1);
    expect(registry.models.m?.versions.map(({ version }) => version)).toEqual(["2", "3", "4"]);
    expect(digestsIn(registry).size).toBe(3);
    expect(defaultModel(rollBack(registry, "m"))?.version).toBe("2");
  });

  it("keeps what a release brings from runtimes that start, unless it is theirs to load, until it goes into service", () => {
    const both = addVersion(inUse("1"), identity("m", "2"));
    const starting = (registry: Registry, runtime = "default-0") =>
      versionsAtStart(registry, runtime).map(({ version }) => version);
    const arriving = loadArriving(both, "m", "2");
    expect(loaded(arriving)).toEqual(["1", "2"]);
    expect(starting(arriving)).toEqual(["1"]);
    const some = loadArriving(arriving, "m", "2", ["default-0"]);
    expect([starting(some), starting(some, "default-1")]).toEqual([["1", "2"], ["1"]]);
    const inService = [
      switchVersion(arriving, "m", "2"),
      loadVersion(arriving, "m", "2"),
      setTrial(arriving, "m", { version: "2", mode: "canary", percent: 10 }),
    ];
    for (const registry of inService) {
      expect(starting(registry)).toEqual(["1", "2"]);
      expect(loadArriving(registry, "m", "2")).toBe(registry);
    }
    expect(loaded(unload(arriving, "m", "2"))).toEqual(["1"]);
    expect(starting(loadVersion(unload(arriving, "m", "2"), "m", "2"))).toEqual(["1", "2"]);
  });

  it("has one live version at most that is loaded and known, whatever was done to it", () => {
    const version = fc.constantFrom("1", "2", "3");
    const name = fc.constantFrom("a", "b");
    const action = fc.oneof(
      fc.record({ do: fc.constantFrom("add", "use", "switch", "try", "load", "unload", "delete"), name, version }),
      fc.record({ do: fc.constantFrom("rollback", "unload all", "retain", "default"), name, version }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        let registry = emptyRegistry;
        for (const { do: what, name, version } of actions) {
          try {
            registry = apply(registry, what, name, version);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^E_MODEL_(UNKNOWN|IN_USE)$/) });
          }
          for (const { live, versions, trial } of Object.values(registry.models)) {
            const names = versions.map((one) => one.version);
            expect(new Set(names).size).toBe(names.length);
            if (live !== undefined)
              expect(versions.find((one) => one.version === live)).toMatchObject({ loaded: true });
            if (trial) expect(versions.find((one) => one.version === trial.version)).toMatchObject({ loaded: true });
            if (trial) expect(trial.version).not.toBe(live);
          }
          expect(loadedVersions(registry).filter((one) => one.default).length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

function apply(registry: Registry, what: string, name: string, version: string): Registry {
  switch (what) {
    case "add":
      return addVersion(registry, identity(name, version));
    case "use":
      return useVersion(registry, name, version);
    case "switch":
      return switchVersion(registry, name, version);
    case "try":
      return setTrial(registry, name, { version, mode: "canary", percent: 5 });
    case "load":
      return loadVersion(registry, name, version);
    case "unload":
      return unload(registry, name, version);
    case "delete":
      return deleteVersion(registry, name, version);
    case "rollback":
      return rollBack(registry, name);
    case "unload all":
      return unload(registry, name);
    case "default":
      return useAsDefault(registry, name);
    default:
      return retainVersions(registry, 1);
  }
}

describe("the registry on the disk", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-registry-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("loses nothing of what many change at once", async () => {
    const versions = Array.from({ length: 8 }, (_, index) => `${index}`);
    await Promise.all(
      versions.map((version) => updateRegistry(folder, (registry) => addVersion(registry, identity("m", version)))),
    );
    const { models } = await readRegistry(folder);
    expect(models.m?.versions.map(({ version }) => version).sort()).toEqual(versions);
  });

  it("is empty where there is none, and says so when it is damaged", async () => {
    expect(await readRegistry(folder)).toEqual(emptyRegistry);
    await writeFile(join(folder, "registry.json"), '{"models": {');
    await expect(readRegistry(folder)).rejects.toMatchObject({ code: "E_MODEL_INVALID" });
  });
});
