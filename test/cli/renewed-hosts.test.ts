import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listOf } from "../e2e/openstack-http.ts";
import type { Kill } from "../e2e/slipway.ts";
import { ServedProject } from "../ledger/served-project.ts";
import { endpointLoad } from "../support/endpoint-load.ts";

vi.setConfig({ testTimeout: 180_000 });

/** Hosts that do not pass, by name, and why. */
const failing = new Map<string, string>();
let served: ServedProject;
beforeAll(async () => {
  served = await ServedProject.create({
    failure: (hostname) => failing.get(hostname),
    silent: ["server-g3", "server-g5"],
  });
});
afterAll(() => served?.remove());

const up = (...options: string[]) => served.project.run(["up", "production", "--watch", "0.5", ...options]);
const servers = async () => {
  const found = (await listOf(served.project.slipway, "compute", "servers/detail")) as { name: string }[];
  return found.map(({ name }) => name).sort();
};
const record = async () => {
  const text = await readFile(served.project.stackFile("production", "generations.json"), "utf8");
  const { live, hosts, highest } = JSON.parse(text);
  return { live, highest, hosts: hosts.map(({ number }: { number: number }) => number) };
};
const notes = (lines: { text?: string }[]) => lines.flatMap(({ text }) => text ?? []);
async function setFlavor(name: string): Promise<void> {
  const file = join(served.project.slipway.projectRoot, "stacks/Pulumi.production.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace(/slipway:flavor: .*/, `slipway:flavor: ${name}`));
}

describe("a stack whose hosts are to be others", () => {
  let url: string;

  it("that has never served has one generation; once it serves it is remembered, and nothing is to be renewed", async () => {
    const { result } = await up();
    expect(result, JSON.stringify(result)).toMatchObject({ ok: true, changed: true, hosts: [{ generation: "g1" }] });
    url = result.url;
    expect(await record()).toEqual({ live: 1, highest: 1, hosts: [1] });
    expect((await up()).result).toMatchObject({ ok: true, changed: false });
    expect((await served.project.run(["preview", "production"])).result).toMatchObject({ renewal: [], changes: {} });
  });

  it("is told beforehand what would come", async () => {
    await setFlavor("m1.medium");
    const { result } = await served.project.run(["preview", "production"]);
    const because = "because the flavor changes from m1.small to m1.medium";
    const then = "server-g2 is created, asked, gets the address and is watched, then server-g1 is removed";
    expect(result.renewal).toEqual([`a new generation, server-g2 beside server-g1, ${because}: ${then}`]);
    expect(result.changes).toMatchObject({ create: 3 }); // the host with its port and its server
    expect(result.changes).not.toHaveProperty("replace");
    expect(result.plan).toContain(result.renewal[0]);
  });

  it("is refused before anything is touched where the quota has no room for both", async () => {
    served.project.cloud.faults.arm("P12:quota-cores");
    const { exitCode, result } = await up();
    await served.project.cloud.faults.disarm("P12:quota-cores");
    expect(result.error).toMatchObject({
      code: "E_QUOTA",
      message: expect.stringMatching(/^server-g2 does not fit .*: cores: 20 of 20 used, 2 more needed$/),
    });
    expect(exitCode).toBe(3);
    expect(await servers()).toEqual(["server-g1"]);
    expect(await record()).toEqual({ live: 1, highest: 1, hosts: [1] });
  });

  it("gets the new ones beside the old: the address moves, no question is lost, the old ones go", async () => {
    const stop = await endpointLoad(url, { keeping: 0, fresh: 1, idling: 2 });
    const { result, lines } = await up();
    const seen = await stop();
    expect(result, JSON.stringify(result)).toMatchObject({
      ok: true,
      url,
      hosts: [{ name: "server-g2", flavor: "m1.medium" }],
    });
    expect(notes(lines)).toContainEqual(
      expect.stringMatching(/^a new generation, server-g2 beside server-g1, because/),
    );
    expect(seen).toMatchObject({ failures: [], generations: ["g1", "g2"] });
    expect(await servers()).toEqual(["server-g2"]);
    expect(await record()).toEqual({ live: 2, highest: 2, hosts: [2] });
  });

  it("keeps the old ones, and the address, where the new ones fail their gate", async () => {
    await setFlavor("m1.tiny");
    failing.set("server-g3", "the golden rows come out otherwise");
    const stop = await endpointLoad(url, { keeping: 0, fresh: 1, idling: 2 });
    const { exitCode, result, lines } = await up();
    const seen = await stop();
    expect(result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: "server-g3: step gate: the golden rows come out otherwise",
      hint: expect.stringContaining("server-g2 serves on"),
      details: [expect.stringMatching(/^server-g3 is removed; .*server-g3\.console\.log$/)],
    });
    expect(exitCode).toBe(6);
    expect(lines.filter(({ phase }) => phase === "attach")).toEqual([]);
    expect(seen).toMatchObject({ failures: [], generations: ["g2"] });
    expect(await servers()).toEqual(["server-g2"]);
    expect(await record()).toEqual({ live: 2, highest: 3, hosts: [2] });
    const console = await readFile(served.project.stackFile("production", "server-g3.console.log"), "utf8");
    expect(console).toContain("the golden rows come out otherwise");
  });

  it("gets no new ones where the release that comes with them fails on the old ones", async () => {
    failing.set("server-g2", "the golden rows come out otherwise");
    const { exitCode, result } = await up("--model", "models/diabetes/development");
    failing.delete("server-g2");
    expect(result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: "step gate: the golden rows come out otherwise",
      details: [expect.stringMatching(/^server-g4 is removed; /)],
    });
    expect(exitCode).toBe(6);
    expect(await servers()).toEqual(["server-g2"]);
    expect(await record()).toEqual({ live: 2, highest: 4, hosts: [2] });
  });

  it("gives the address back to the old ones where the new ones do not answer at it", async () => {
    const { exitCode, result, lines } = await up(); // behind server-g5 nobody answers
    expect(result.error).toMatchObject({
      code: "E_GATE_FAILED",
      message: expect.stringMatching(/^server-g5 got the address and does not serve: /),
    });
    expect(exitCode).toBe(6);
    expect(notes(lines)).toContain("the address leads to server-g2 again");
    expect(await servers()).toEqual(["server-g2"]);
    expect(await answering(url)).toBe("g2");
    expect(await record()).toEqual({ live: 2, highest: 5, hosts: [2] });
  });
});

/** Whose hosts answer; on a connection of its own, since one from before leads to where it led. */
async function answering(url: string): Promise<string> {
  const answer = await fetch(`${url}/version`, { headers: { connection: "close" } });
  return ((await answer.json()) as { generation: string }).generation;
}

async function flavorSet(): Promise<string | undefined> {
  const file = join(served.project.slipway.projectRoot, "stacks/Pulumi.production.yaml");
  return /slipway:flavor: (.*)/.exec(await readFile(file, "utf8"))?.[1];
}

type Line = Parameters<Kill["at"]>[0];
const began = (phase: string) => (line: Line) =>
  line.type === "phase" && line.phase === phase && line.state === "start";
const ended = (phase: string) => (line: Line) => line.type === "phase" && line.phase === phase && line.state === "done";

describe("a renewal that is killed is finished by the next `up`", () => {
  const moments: [string, Kill["at"]][] = [
    ["when the hosts are made", ended("provision")],
    ["while the endpoint is watched", began("watch")],
    ["before the old ones are removed", began("stop")],
  ];
  it.each(moments)("killed %s", async (_when, at) => {
    const flavor = (await flavorSet()) === "m1.small" ? "m1.medium" : "m1.small";
    await setFlavor(flavor);
    const killed = await served.project.run(["up", "production", "--watch", "0.5"], { kill: { at } });
    expect(killed.signal).toBe("SIGKILL");
    const { result } = await up();
    expect(result, JSON.stringify(result)).toMatchObject({ ok: true, hosts: [{ flavor }] });
    expect(await servers()).toEqual([result.hosts[0].name]);
    expect(await answering(result.url)).toBe(result.hosts[0].generation);
  });

  it("`--keep-old` keeps the old ones beside, `status` tells both, and `down` leaves neither", async () => {
    await setFlavor("m1.tiny");
    const { result } = await up("--keep-old");
    expect(result, JSON.stringify(result)).toMatchObject({ ok: true, hosts: [{ flavor: "m1.tiny" }] });
    const { result: status } = await served.project.run(["status", "production"]);
    expect(status.hosts).toMatchObject([
      { live: false, floatingIp: null, state: "ACTIVE" },
      { live: true, flavor: "m1.tiny", floatingIp: new URL(result.url).hostname, state: "ACTIVE" },
    ]);
    expect((await up("--keep-old")).result).toMatchObject({ ok: true, changed: false });
    const { result: down } = await served.project.run(["down", "production", "--yes"]);
    expect(down).toMatchObject({ ok: true, leftovers: [] });
    expect(await served.project.resourcesOf("production")).toEqual([]);
  });
});
