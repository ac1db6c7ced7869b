import { lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeDiskView } from "../../src/cloud/hypervisors/nspawn/disks.ts";
import { guestFiles, writeConfigDrive } from "../../src/cloud/hypervisors/nspawn/guest-folder.ts";
import { inFolder, isFolderWithin, removeEntry } from "../../src/cloud/hypervisors/nspawn/guest-tree.ts";
import { copyTree } from "../../src/cloud/hypervisors/nspawn/tree.ts";
import { removeTree } from "../../src/cloud/store/remove.ts";
import { run } from "../../src/common/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// What this machine's root does in a tree that a guest made: nothing outside of it changes, whatever in it leads there.

/** Files in a guest's tree on whose paths the machine's root works. */
const paths = [
  "var/lib/cloud/seed/config_drive/openstack/latest/user_data",
  "var/lib/guest-disks/block/vdz",
  "var/lib/guest-disks/dev-block/7:99",
];

/** What a guest puts in the place of a folder or a file. */
const kinds = ["absolute link", "relative link", "dangling link", "file", "pipe"] as const;

interface Trap {
  path: string;
  /** How many of the path's parts before it are as they should be. */
  depth: number;
  kind: (typeof kinds)[number];
}

const anyTrap: fc.Arbitrary<Trap> = fc
  .tuple(fc.constantFrom(...paths.flatMap((path) => path.split("/").map((_, depth) => ({ path, depth })))))
  .chain(([place]) => fc.constantFrom(...kinds).map((kind) => ({ ...place, kind })));

/** A guest's folder with its tree, a trap in it, and beside it what every link of the trap's path could lead to. */
async function guestWith({ path, depth, kind }: Trap) {
  const folder = temporaryFolder();
  const { root } = guestFiles(folder);
  const outside = join(folder, "outside");
  const put = async (file: string) => {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, "precious");
  };
  for (const each of paths) await put(join(root, each));
  const parts = path.split("/");
  await put(join(outside, "x", ...parts.slice(depth + 1)));
  await put(join(outside, "y"));
  const place = join(root, ...parts.slice(0, depth + 1));
  await rm(place, { recursive: true });
  if (kind === "absolute link") await symlink(join(outside, "x"), place);
  else if (kind === "relative link") await symlink(relative(dirname(place), join(outside, "x")), place);
  else if (kind === "dangling link") await symlink(join(outside, "none"), place);
  else if (kind === "file") await writeFile(place, "not a folder");
  else await run("mkfifo", [place]);
  return { folder, root, outside };
}

/** Everything below a folder, links not followed: by path, what it is. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(folder, { recursive: true })) {
    const what = await lstat(join(folder, name));
    const content = what.isSymbolicLink() ? await readlink(join(folder, name)) : "";
    found[name] = `${what.mode} ${what.isFile() ? await readFile(join(folder, name), "utf8") : content}`;
  }
  return found;
}

describe.skipIf(process.platform !== "linux")("a guest's tree", () => {
  it("leads nobody out of it who writes a config drive, tells of disks, or copies it", async () => {
    const done = (work: Promise<unknown>) =>
      work.then(
        () => "done",
        (error: Error) => error.message,
      );
    const property = fc.asyncProperty(anyTrap, async (trap) => {
      const { folder, root, outside } = await guestWith(trap);
      const before = await contentOf(outside);
      const copy = join(folder, "copy"); // beside the tree, so that relative links lead to the same
      await copyTree(root, copy);
      expect(await isFolderWithin(copy, "var/lib/cloud/seed")).toBe(false);
      const drive = await done(writeConfigDrive(root, { "openstack/latest/user_data": "told" }));
      const view = await done(writeDiskView({ folder, name: "sw-cloud1-bbbbbbbb" }, []));
      for (const outcome of [drive, view]) expect(outcome).toMatch(/^done$|^the guest's \/var\S* is no folder$/);
      if (drive === "done")
        expect(await contentOf(root)).toMatchObject({ [paths[0] ?? ""]: expect.stringMatching(/ told$/) });
      expect(await contentOf(outside)).toEqual(before);
    });
    await fc.assert(property, { numRuns: 30 });
  });

  it("is left alone beside a folder that is worked in, also where a link takes the folder's place meanwhile", async () => {
    const { root, outside } = await guestWith({ path: paths[1] ?? "", depth: 4, kind: "file" });
    const before = await contentOf(outside);
    await inFolder(root, "var/lib/cloud", async (held) => {
      await rename(join(root, "var/lib/cloud"), join(root, "var/lib/moved"));
      await symlink(outside, join(root, "var/lib/cloud"));
      await writeFile(join(held, "y"), "told");
      await removeEntry(held, "seed");
    });
    expect(await contentOf(outside)).toEqual(before);
    expect(await readdir(join(root, "var/lib/moved"))).toEqual(["y"]);
  });

  it("can be removed however deep its folders lie", async () => {
    const folder = temporaryFolder();
    const deep = Array(30).fill("d".repeat(100));
    for (const name of ["tree", "other"]) await mkdir(join(folder, name, ...deep), { recursive: true });
    await rename(join(folder, "other"), join(folder, "tree", ...deep, "other")); // deeper than a path is long
    await removeTree(join(folder, "tree"));
    await removeTree(join(folder, "tree")); // nor is what is not there a failure
    expect(await readdir(folder)).toEqual([]);
  });
});
