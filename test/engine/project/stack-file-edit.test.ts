import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  configPlace,
  readConfiguration,
  removeConfig,
  setConfig,
} from "../../../src/engine/embedded/operations/config.ts";
import { readStackFiles } from "../../../src/engine/embedded/operations/stack-files.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/** A project of one stack with this file. */
async function projectWith(text: string) {
  const root = temporaryFolder();
  const path = join(root, "Pulumi.dev.yaml");
  await writeFile(join(root, "Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
  await writeFile(path, text, { mode: 0o640 });
  const files = () => readStackFiles({ projectRoot: root, stack: "dev", backendUrl: `file://${root}/state` });
  return {
    path,
    read: () => readFile(path, "utf8"),
    values: async () => (await readConfiguration(await files())).values,
    set: async (key: string, value: string, isPath = false) => {
      const found = await files();
      await setConfig(found, configPlace(found, key, isPath), value);
    },
    remove: async (key: string, isPath = false) => {
      const found = await files();
      await removeConfig(found, configPlace(found, key, isPath));
    },
  };
}

const before = "# of ours\nconfig:\n  # why\n  shop:flavor: small # small\n  openstack:region: R1\n";

it("a change keeps the file's comments, order and permissions, and texts as they were typed", async () => {
  const project = await projectWith(before);
  await project.set("flavor", "007");
  await project.set("a.list[0]", "1", true);
  await project.set("a.list[1]", "0123", true);
  await project.set('a["b.c"]', "true", true);
  await project.set("openstack:region", "true");
  expect(await project.read()).toBe(
    `${before.replace("small # small", '"007" # small').replace("R1", '"true"')}  shop:a:\n    list:\n      - 1\n      - "0123"\n    b.c: true\n`,
  );
  expect((await stat(project.path)).mode & 0o777).toBe(0o640);
  expect(await project.values()).toEqual({
    "shop:flavor": "007",
    "openstack:region": "true",
    "shop:a": '{"list":[1,"0123"],"b.c":true}',
  });
});

it("a key is found under each of its spellings", async () => {
  const project = await projectWith("config:\n  shop:config:flavor: small\n");
  await project.set("flavor", "large");
  expect(await project.read()).toBe("config:\n  shop:config:flavor: large\n");
  await project.remove("shop:flavor");
  expect(await project.values()).toEqual({});
});

it("what is not there is not removed, and a path that leads nowhere is not set", async () => {
  const project = await projectWith("config:\n  shop:a:\n    list: [1]\n");
  await expect(project.remove("b")).rejects.toMatchObject({ code: "E_LOOKUP" });
  await expect(project.remove("a.list[3]", true)).rejects.toMatchObject({ code: "E_LOOKUP" });
  await expect(project.set("a.list[3]", "x", true)).rejects.toMatchObject({ hint: "Its next place is 1." });
  await expect(project.set("a.list.name", "x", true)).rejects.toMatchObject({ code: "E_USAGE" });
  await expect(project.set("b.secure", "x", true)).rejects.toMatchObject({ code: "E_USAGE" });
  await expect(project.set(":x", "x")).rejects.toMatchObject({ code: "E_USAGE" });
  expect(await project.read()).toBe("config:\n  shop:a:\n    list: [1]\n");
  await project.remove("a.list[0]", true);
  expect(await project.values()).toEqual({ "shop:a": '{"list":[]}' });
});
