import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { destroyCloud, startDaemon, stopDaemon } from "../../../src/cloud/control.ts";
import { armedFaults, armFault, disarmFaults } from "../../../src/cloud/control-socket.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { TestCloud } from "../support.ts";

let cloud: TestCloud | undefined;
afterEach(async () => {
  await cloud?.remove();
  cloud = undefined;
});

const newAddress = async (test: TestCloud) => {
  const body = { floatingip: { floating_network_id: await test.externalNetworkId() } };
  return (await test.post("/network/v2.0/floatingips", body)).status;
};

describe("an armed fault", () => {
  it("strikes as often as it is told to, notes when and whom, and is gone when it is disarmed", async () => {
    cloud = await TestCloud.start();
    const { faults } = cloud.cloud;
    expect(await newAddress(cloud)).toBe(201);
    expect(faults.arm("P05", { times: 2 })).toMatchObject({ id: "P05:fip-quota", times: 2, firings: [] });
    expect([await newAddress(cloud), await newAddress(cloud), await newAddress(cloud)]).toEqual([409, 409, 201]);
    const what = expect.stringMatching(/^POST \/network\/v2\.0\/floatingips req-[0-9a-f-]{36}$/);
    const firing = { at: expect.stringMatching(/^\d{4}-/), what };
    expect(faults.list()).toMatchObject([{ id: "P05:fip-quota", met: 2, firings: [firing, firing] }]);
    expect(faults.list()[0]?.firings.map(({ occasion }) => occasion)).toEqual([1, 2]);

    faults.arm("fip-quota");
    expect(await newAddress(cloud)).toBe(409);
    expect(await faults.disarm("P05")).toEqual(["P05:fip-quota"]);
    expect(await newAddress(cloud)).toBe(201);
    expect(await faults.disarm()).toEqual([]);
  });

  it("strikes at the same occasions for the same seed", async () => {
    const run = async (seed: string) => {
      const test = await TestCloud.start();
      onTestFinished(() => test.remove());
      test.cloud.faults.arm("P05:fip-quota", { seed });
      const answers: number[] = [];
      for (let made = 0; made < 12; made++) answers.push(await newAddress(test));
      return answers;
    };
    const [first, again, other] = [await run("one"), await run("one"), await run("two")];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([201, 409]));
  });

  it("strikes as likely as it is told to, and does it again from its record", async () => {
    cloud = await TestCloud.start();
    const { faults } = cloud.cloud;
    const run = async () => {
      const answers: number[] = [];
      for (let made = 0; made < 30; made++) answers.push(await newAddress(cloud as TestCloud));
      return answers;
    };
    expect(faults.arm("P05:fip-quota", { probability: 0.2 }).seed).toMatch(/^[0-9a-f]{12}$/);
    faults.arm("P05:fip-quota", { probability: 0.2, seed: "one", delayMs: 1 });
    const first = await run();
    const [{ firings } = { firings: [] }] = faults.list();
    expect(new Set(first)).toEqual(new Set([201, 409]));
    expect(first.filter((status) => status === 409).length).toBeLessThan(15);
    const record = { id: "P05:fip-quota", delayMs: 1, target: null, only: firings.map(({ occasion }) => occasion) };
    expect(faults.replay([record])).toMatchObject([{ id: "P05:fip-quota", met: 0, delayMs: 1, firings: [] }]);
    expect((await run()).slice(0, 19)).toEqual(first.slice(0, 19));
    expect(() => faults.replay([{ ...record, id: "P98" }])).toThrow(expect.objectContaining({ code: "E_USAGE" }));

    faults.arm("P05:fip-quota", { probability: 0 });
    await faults.disarm("P12");
    expect(faults.list()).toMatchObject([{ probability: 0, struck: 0 }]);
  });

  it("strikes only at what has to do with its target", async () => {
    cloud = await TestCloud.start();
    cloud.cloud.faults.arm("P12:no-valid-host", { target: "web-2" });
    await cloud.routedNetwork();
    const statuses: string[] = [];
    for (const name of ["web-1", "web-2", "web-3"]) statuses.push((await cloud.bootServer({ name })).status);
    expect(statuses).toEqual(["ACTIVE", "ERROR", "ACTIVE"]);
    expect(cloud.cloud.faults.list()).toMatchObject([{ met: 1, struck: 1 }]);

    cloud.cloud.faults.arm("P13:http-503", { target: "/network/v2.0/ports" });
    expect((await cloud.get("/network/v2.0/networks")).status).toBe(200);
    expect((await cloud.get("/network/v2.0/ports")).status).toBe(503);
  });

  it("holds an answer up as long as it is told to", async () => {
    cloud = await TestCloud.start();
    cloud.cloud.faults.arm("P05:fip-quota", { delayMs: 300 });
    const begun = performance.now();
    expect(await newAddress(cloud)).toBe(409);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(290);
  });

  it("meets only requests that their service would have taken: a wrong token is refused as ever, and counts for nothing", async () => {
    cloud = await TestCloud.start();
    cloud.cloud.faults.arm("P05");
    expect((await cloud.post("/network/v2.0/floatingips", {}, { token: "wrong" })).status).toBe(401);
    expect(cloud.cloud.faults.list()).toMatchObject([{ met: 0, firings: [] }]);
  });

  it("is still armed, and has struck as often, after a restart", async () => {
    cloud = await TestCloud.start();
    cloud.cloud.faults.arm("P05", { times: 2 });
    await newAddress(cloud);
    await cloud.restart();
    expect(cloud.cloud.faults.list()).toMatchObject([{ id: "P05:fip-quota", firings: [{}] }]);
    expect([await newAddress(cloud), await newAddress(cloud)]).toEqual([409, 201]);
  });

  it("is named by row, by name or by both; what means none or several is refused", async () => {
    cloud = await TestCloud.start();
    const { faults } = cloud.cloud;
    for (const text of ["P03", "fip-timeout-but-applied", "P03:fip-timeout-but-applied"]) {
      expect(faults.arm(text).id).toBe("P03:fip-timeout-but-applied");
    }
    expect(() => faults.arm("P12")).toThrow(
      expect.objectContaining({ code: "E_USAGE", message: "P12 means 4 faults" }),
    );
    expect(() => faults.arm("P99")).toThrow(expect.objectContaining({ code: "E_USAGE" }));
    await expect(faults.disarm("P99")).rejects.toMatchObject({ code: "E_USAGE" });
    expect(faults.list()).toHaveLength(1);
  });
});

it("the daemon arms faults over a socket in its own folder, and over nothing else", async () => {
  const stateDir = join(temporaryFolder(), "cloud");
  onTestFinished(async () => void (await destroyCloud(stateDir)));
  const start = () => startDaemon({ stateDir, hypervisor: "fake", projectRoot: join(import.meta.dirname, "../../..") });
  await expect(armFault(stateDir, "P03", {})).rejects.toMatchObject({ code: "E_CLOUD_UNREACHABLE" });
  const { authUrl } = await start();
  expect((await stat(join(stateDir, "control.sock"))).mode & 0o777).toBe(0o600);
  expect((await fetch(new URL("/faults", authUrl))).status).toBe(404);

  expect(await armFault(stateDir, "P03", { times: 3 })).toMatchObject({ id: "P03:fip-timeout-but-applied", times: 3 });
  await expect(armFault(stateDir, "P98", {})).rejects.toMatchObject({
    code: "E_USAGE",
    message: "there is no fault P98",
    hint: expect.stringContaining("slipway cloud faults"),
  });
  await stopDaemon(stateDir);
  await start();
  expect(await armedFaults(stateDir)).toMatchObject([{ id: "P03:fip-timeout-but-applied", times: 3 }]);
  expect(await disarmFaults(stateDir)).toEqual(["P03:fip-timeout-but-applied"]);
  expect(await armedFaults(stateDir)).toEqual([]);
});
