import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { failureOf } from "../support/workbench.ts";
import { cli, type Kind, missing, OfficialBench } from "./support/bench.ts";
import { comparable } from "./support/comparable.ts";

// the CLI is started several times in each test, and below it Node with Pulumi's SDK for the program and for its provider
vi.setConfig({ testTimeout: 180_000 });

const directions: [Kind, Kind][] = [
  ["official", "embedded"],
  ["embedded", "official"],
];

/** Resources whose provider is part of the program: every kind of step, without a cloud. */
describe.skipIf(cli === undefined || missing.length > 0)("resources that change hands", () => {
  let bench: OfficialBench;
  beforeEach(async () => {
    bench = await OfficialBench.create("dynamic");
    await mkdir(join(bench.folder, "files"));
  });
  afterEach(() => bench.dispose());

  const settings = (more: Record<string, string> = {}) => ({
    folder: join(bench.folder, "files"),
    password: "hush-hush",
    parts: "dependent",
    ...more,
  });
  const files = () => readdir(join(bench.folder, "files"));
  const content = (name: string) => readFile(join(bench.folder, "files", name), "utf8");

  describe.each(directions)("made by the %s engine", (maker, taker) => {
    test(`are unchanged, updated, replaced and deleted by the ${taker} one, and unchanged for the first again`, async () => {
      expect((await bench.run(maker, "up", settings())).changes).toEqual({ create: 3 });
      expect((await bench.run(taker, "preview", settings())).changes).toEqual({ same: 3 });

      const text = "another";
      await bench.run(taker, "up", settings({ text }));
      expect(bench.steps()).toEqual(["update one", "update two"]);
      expect(await content("two")).toBe("7!hush-hush");
      expect((await bench.run(maker, "preview", settings({ text }))).changes).toEqual({ same: 3 });

      await bench.run(taker, "up", settings({ text, name: "uno" }));
      expect(bench.steps()).toContain("replace one");
      expect((await bench.run(maker, "preview", settings({ text, name: "uno" }))).changes).toEqual({ same: 3 });

      await bench.run(taker, "up", settings({ text, name: "uno", parts: "" }));
      expect(bench.steps()).toEqual(["delete two"]);
      expect((await bench.run(maker, "preview", settings({ text, name: "uno", parts: "" }))).changes).toEqual({
        same: 2,
      });
      await bench.run(maker, "destroy", settings());
      expect(await files()).toEqual([]);
    });

    test(`are mended by the ${taker} one where the first has failed`, async () => {
      const failed = await failureOf(bench.run(maker, "up", settings({ text: "fails" })));
      expect(failed).toMatchObject({
        code: "E_UPDATE_FAILED",
        message: expect.stringContaining("no room in the folder"),
      });
      const unwell = await failureOf(bench.run(maker, "up", settings({ text: "unwell" })));
      expect(unwell).toMatchObject({ code: "E_UPDATE_FAILED", message: expect.stringMatching(/Resource::one/) });
      await bench.run(taker, "up", settings());
      expect(await content("one")).toBe("first!hush-hush");
      expect((await bench.run(maker, "preview", settings())).changes).toEqual({ same: 3 });
    });
  });

  test("that have vanished are found out by a refresh of either, and made again by the other", async () => {
    await bench.run("official", "up", settings());
    for (const [finder, maker] of directions) {
      await rm(join(bench.folder, "files/two"));
      expect((await bench.run(finder, "refresh", settings(), { targets: ["**two"] })).changes).toMatchObject({
        delete: 1,
      });
      expect((await bench.run(maker, "up", settings())).changes).toEqual({ create: 1, same: 2 });
      expect(await files()).toEqual(["one", "two"]);
    }
  });

  test.each(directions)("are replaced by the %s engine when the user says so, though nothing differs", async (kind) => {
    await bench.run(kind, "up", settings());
    const replaces = (await bench.latest()).resources
      .map(({ urn }: { urn: string }) => urn)
      .filter((urn: string) => urn.endsWith("::one"));
    // in a preview what follows from it is not known yet
    const foreseen = await bench.run(kind, "preview", settings(), { replaces });
    expect(foreseen.changes).toEqual({ replace: 1, same: 1, update: 1 });
    expect((await bench.run(kind, "up", settings(), { replaces })).changes).toEqual({ replace: 1, same: 2 });
    expect(bench.steps()).toContain("replace one");
  });

  test.each(directions)("have outputs that a preview by the %s engine foresees", async (kind) => {
    expect((await bench.run(kind, "preview", settings())).outputs).toEqual({ size: undefined });
    await bench.run(kind, "up", settings());
    expect((await bench.run(kind, "preview", settings({ parts: "" }))).outputs).toEqual({ size: 5 });
  });

  test("go through the same steps to the same state with both", async () => {
    const other = await OfficialBench.create("dynamic");
    try {
      await bench.run("official", "up", settings());
      const first = comparable(await bench.latest());
      const steps = bench.steps();
      await bench.run("official", "destroy", settings());
      await other.run("embedded", "up", settings()); // in the same folder
      expect(other.steps()).toEqual(steps);
      expect(comparable(await other.latest())).toEqual(first);
    } finally {
      await other.dispose();
    }
  });
});
