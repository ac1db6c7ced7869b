import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { firstObstacles, type Look, missingCapabilities } from "../../src/cloud/hypervisors/nspawn/obstacles.ts";
import { guestsRefused } from "../../src/cloud/hypervisors/nspawn/probe.ts";
import { run } from "../../src/common/process.ts";

const obstacle = (what: string) => ({ what, remedy: `Mend ${what}.` });

describe("what is in the way of real guests", () => {
  it("is looked for in levels: what follows from a missing thing is not told", async () => {
    const looked: number[] = [];
    const level = (number: number, ...found: (string | undefined)[]): Look => {
      return async () => {
        looked.push(number);
        return found.map((what) => (what === undefined ? undefined : obstacle(what)));
      };
    };
    const levels = [level(1), level(2, undefined, "rights", "cgroups"), level(3, "mounts")];
    expect(await firstObstacles(levels, "")).toEqual([obstacle("rights"), obstacle("cgroups")]);
    expect(looked).toEqual([1, 2]);
    expect(await firstObstacles([level(1), level(2, undefined)], "")).toEqual([]);
  });

  it("is told with every remedy", () => {
    expect(guestsRefused([obstacle("rights"), obstacle("cgroups")])).toMatchObject({
      code: "E_HOST_PACKAGES",
      message: "real guests cannot run here: rights; cgroups",
      hint: "Mend rights.",
      details: ["Mend cgroups."],
    });
  });

  it("knows the capabilities that containers are not given", () => {
    expect(missingCapabilities("000001ffffffffff")).toEqual([]);
    expect(missingCapabilities("00000000a80425fb")).toEqual(["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
  });
});

const asOtherRoot = ["--user", "--map-root-user"];
const cannot = await run("unshare", [...asOtherRoot, "true"]).then(
  () => undefined,
  (error: Error) => error.message,
);

it.skipIf(cannot !== undefined)(
  "root of a user namespace is not the machine's root, though it may do much",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "slipway-obstacles-"));
    const module = new URL("../../src/cloud/hypervisors/nspawn/probe.ts", import.meta.url).href;
    const script = `import(${JSON.stringify(module)}).then(async (probe) => console.log(JSON.stringify(await probe.lastingObstacles(${JSON.stringify(folder)}))))`;
    try {
      const { stdout } = await run("unshare", [...asOtherRoot, process.execPath, "-e", script]);
      expect(JSON.parse(stdout)).toEqual([
        {
          what: expect.stringContaining("root in a user namespace only"),
          remedy: "Run the same command as the machine's own root.",
        },
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
