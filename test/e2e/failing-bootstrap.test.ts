import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(`a host whose bootstrap fails${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let template: string;
  let whole: string;
  beforeAll(async () => {
    slipway = await Slipway.create();
    template = join(slipway.projectRoot, "cloud-init/queue.yaml.hbs");
    whole = await readFile(template, "utf8");
    expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true });
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("ends `up` with the step and its lines when the host gives its verdict, and gets no address", async () => {
    await writeFile(template, whole.replace("port=6379", 'port="any"'));
    const { exitCode, result, lines } = await slipway.run(["up", "production"]);
    expect(result).toMatchObject({
      ok: false,
      error: {
        code: "E_BOOTSTRAP_FAILED",
        message: expect.stringMatching(/^step settings: .*roles\.d\/queue\.json is not valid: port: .*number/),
        hint: expect.stringContaining("slipway logs"),
      },
    });
    expect(exitCode).toBe(5);
    expect(lines.filter(({ phase }) => phase === "attach")).toEqual([]);
    expect(await listOf(slipway, "network", "floatingips")).toMatchObject([{ port_id: null }]);

    const { journal } = (await slipway.run(["logs", "production"])).result;
    const step = journal.find(({ entry }: { entry: { code?: number } }) => entry.code === 1);
    expect(step.entry).toMatchObject({ step: "settings", lines: [expect.stringContaining("queue.json")] });
    const verdict = journal.find(({ entry }: { entry: { type: string } }) => entry.type === "verdict");
    expect(verdict.entry).toMatchObject({ ok: false, failure: { step: "settings" } });
  });

  it("serves after the template is mended, and `down` leaves nothing", async () => {
    await writeFile(template, whole);
    const { exitCode, result } = await slipway.run(["up", "production"]);
    expect(result, JSON.stringify(result)).toMatchObject({ ok: true, changed: true });
    expect(exitCode).toBe(0);
    expect(await listOf(slipway, "compute", "servers")).toHaveLength(1);
    expect((await slipway.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });
});
