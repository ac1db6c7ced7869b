import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endpointLoad } from "../support/endpoint-load.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const root = join(import.meta.dirname, "../..");
const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(`payloads released under load${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let url: string;
  const frontend = () => join(slipway.projectRoot, "src/serving/main-frontend.ts");
  const payload = async () => ((await (await fetch(`${url}/version`)).json()) as { payload: string }).payload;
  const load = () => endpointLoad(url, { keeping: 2, fresh: 1, idling: 4 });

  /** The project's own source with another line in its frontend. */
  const changeFrontend = async (line: string) => {
    await rm(join(slipway.projectRoot, "src"), { recursive: true });
    await cp(join(root, "src"), join(slipway.projectRoot, "src"), { recursive: true });
    await writeFile(frontend(), `${line}\n${await readFile(frontend(), "utf8")}`);
  };

  beforeAll(async () => {
    slipway = await Slipway.create();
    expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "nspawn" });
    const { result } = await slipway.run(["up", "production"]);
    expect(result).toMatchObject({ ok: true });
    url = result.url;
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("another payload takes over, and no request fails", async () => {
    const before = await payload();
    await changeFrontend("process.title = 'another payload';");
    const stop = await load();
    const { result, exitCode } = await slipway.run(["up", "production"]);
    const { asked, failures } = await stop();
    console.log(`${asked} requests during a payload's release, ${failures.length} of them failed`);
    expect(result).toMatchObject({ ok: true, changed: true });
    expect(exitCode).toBe(0);
    expect(failures).toEqual([]);
    expect(await payload()).not.toBe(before);
  });

  it("one whose frontend never becomes ready leaves the old one serving, and no request fails", async () => {
    const before = await payload();
    await changeFrontend("throw new Error('this frontend never starts');");
    const stop = await load();
    const { result, exitCode } = await slipway.run(["up", "production"]);
    const { asked, failures } = await stop();
    console.log(`${asked} requests during a payload's failed release, ${failures.length} of them failed`);
    expect(result).toMatchObject({ ok: false, error: { code: "E_GATE_FAILED" } });
    expect(exitCode).toBe(6);
    expect(failures).toEqual([]);
    expect(await payload()).toBe(before);
  });
});
