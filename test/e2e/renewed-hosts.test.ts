import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { endpointLoad } from "../support/endpoint-load.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf, postJson } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

// two boots under load, on a machine that may do other things, too
vi.setConfig({ testTimeout: 300_000 });
const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(`hosts renewed under load${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let url: string;
  let guest: ReturnType<typeof inside>;
  const servers = async () =>
    ((await listOf(slipway, "compute", "servers/detail")) as { name: string }[]).map(({ name }) => name);
  const load = () => endpointLoad(url, { keeping: 0, fresh: 1, idling: 4, resting: 2 });

  beforeAll(async () => {
    slipway = await Slipway.create();
    expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true });
    const { result } = await slipway.run(["up", "production"]);
    expect(result, JSON.stringify(result)).toMatchObject({ ok: true, hosts: [{ name: "server-g1" }] });
    url = result.url;
    guest = inside(join(slipway.home, "cloud"), result.hosts[0].id);
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("another flavor: the new ones take over, no request fails, and the old ones end when their jobs are done", async () => {
    const file = join(slipway.projectRoot, "stacks/Pulumi.production.yaml");
    await writeFile(file, (await readFile(file, "utf8")).replace("m1.small", "m1.medium"));
    await guest.inGuest("systemctl", "stop", "slipway-worker@*");
    const job = { kind: "predict", rows: [[3, 107, 71, 37, 0, 32.1, 0.715, 25]] };
    expect((await postJson(`${url}/v1/jobs`, job)).status).toBe(202);
    let worker: Promise<unknown> | undefined;
    const stop = await load();
    const { result, lines } = await slipway.run(["up", "production", "--drain", "60"], {
      onLine({ phase, state }) {
        if (phase === "drain" && state === "start") worker = guest.inGuest("systemctl", "start", "slipway-worker@1");
      },
    });
    const seen = await stop();
    console.log(`${seen.asked} requests while hosts were renewed, ${seen.failures.length} of them failed`);
    await worker;
    expect(result, JSON.stringify(result)).toMatchObject({ ok: true, url, hosts: [{ name: "server-g2" }] });
    expect(seen).toMatchObject({ failures: [], generations: ["g1", "g2"] });
    expect(lines).toContainEqual(expect.objectContaining({ phase: "drain", state: "done" }));
    // one whose jobs are not done would have stayed
    expect(await servers()).toEqual(["server-g2"]);
  });

  it("new hosts that fail never get the address, and are gone; the old ones serve on", async () => {
    const template = join(slipway.projectRoot, "cloud-init/queue.yaml.hbs");
    const whole = await readFile(template, "utf8");
    await writeFile(template, whole.replace("port=6379", 'port="any"'));
    const stop = await load();
    const { exitCode, result, lines } = await slipway.run(["up", "production"]);
    const seen = await stop();
    console.log(`${seen.asked} requests while new hosts failed, ${seen.failures.length} of them failed`);
    expect(result.error).toMatchObject({
      code: "E_BOOTSTRAP_FAILED",
      message: expect.stringMatching(/^server-g3: step settings: .*queue\.json is not valid/),
    });
    expect(exitCode).toBe(5);
    expect(lines.filter(({ phase }) => phase === "attach")).toEqual([]);
    expect(seen).toMatchObject({ failures: [], generations: ["g2"] });
    expect(await servers()).toEqual(["server-g2"]);
    expect((await slipway.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });
});
