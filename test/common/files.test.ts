import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pathExists, readTextIfExists, writeFileAtomic } from "../../src/common/files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("what lies below a file is not there", async () => {
  await writeFileAtomic(join(folder, "file"), "");
  expect(await pathExists(join(folder, "file"))).toBe(true);
  expect(await pathExists(join(folder, "file", "below"))).toBe(false);
  expect(await pathExists(join(folder, "none", "below"))).toBe(false);
});

test("writes below folders that do not exist yet, readable by the owner alone", async () => {
  const path = join(folder, "a", "b", "state.json");
  await writeFileAtomic(path, "one");
  expect(await readFile(path, "utf8")).toBe("one");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a file that others could read gets the asked mode with the new content", async () => {
  const path = join(folder, "secret");
  await writeFile(path, "old");
  await chmod(path, 0o666);
  await writeFileAtomic(path, "new", 0o400);
  expect((await stat(path)).mode & 0o777).toBe(0o400);
});

test("a reader sees one whole content, whoever writes at the same time", async () => {
  const path = join(folder, "file");
  const contents = Array.from({ length: 8 }, (_, n) => `${n}`.repeat(200_000));
  await writeFileAtomic(path, contents[0] ?? "");
  let writing = true;
  const seen = new Set<string>();
  const reader = (async () => {
    while (writing) seen.add(await readFile(path, "utf8"));
  })();
  await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
  writing = false;
  await reader;
  expect(seen.size).toBeGreaterThan(0);
  for (const content of seen) expect(contents.includes(content)).toBe(true);
});

test("a write that fails leaves the old file and no temporary one", async () => {
  const occupied = join(folder, "occupied");
  await mkdir(join(occupied, "child"), { recursive: true });
  await expect(writeFileAtomic(occupied, "text")).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(await readdir(folder)).toEqual(["occupied"]);
  expect(await readdir(occupied)).toEqual(["child"]);
});

test("no file reads as undefined, an empty one as empty, anything else is an error", async () => {
  await writeFile(join(folder, "empty"), "");
  expect(await readTextIfExists(join(folder, "absent"))).toBeUndefined();
  expect(await readTextIfExists(join(folder, "empty"))).toBe("");
  await expect(readTextIfExists(folder)).rejects.toThrow("EISDIR");
});
