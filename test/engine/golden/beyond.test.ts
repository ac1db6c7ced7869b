import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Lab } from "./lab.ts";
import { loadRecording, type Observation, type RecordedRun } from "./recording.ts";
import { shortName } from "./symbols.ts";

// each run starts a Node that loads Pulumi's SDK: seconds where the machine is busy
vi.setConfig({ testTimeout: 90_000 });

/** Differences from the official engine that are wanted, and that no recording shows: small programs in the recordings' lab. */
const recording = loadRecording("v3-errors");
const recorded = (name: string) => recording.runs.find((run) => run.name === name) as RecordedRun;
const { config } = recorded("c3-up-server-error");

const preamble = 'import * as os from "@pulumi/openstack";\n';
const server = `new os.compute.Instance("server", {
  imageName: "debian-12", flavorName: "m1.small", networks: [{ uuid: network.id }], securityGroups: [group.id],
}, { dependsOn: [subnet] });\n`;
const around = `${preamble}
const network = new os.networking.Network("net");
const subnet = new os.networking.Subnet("net", { networkId: network.id, cidr: "10.80.0.0/24" });
const group = new os.networking.SecGroup("group");\n`;
const slow = `${preamble}new os.networking.Network("net", {}, { customTimeouts: { create: "1s" } });\n`;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.of(recording, "@pulumi/pulumi");
});
afterAll(() => lab.close());

const run = (args: string, program: string) => lab.run({ args, program, config });
const taken = ({ steps }: Observation) =>
  steps.filter(({ phase, op }) => phase === "end" && op !== "same").map(({ op, urn }) => `${op} ${shortName(urn)}`);

describe("security group ids in place of names", () => {
  test("cause no eternal diff, as the names that the cloud answers do in the official provider", async () => {
    const up = await run("up", around + server);
    expect(up.errors).toEqual([]);
    expect(taken(await run("up", around + server))).toEqual([]);
    expect(taken(await run("refresh", around + server))).toEqual([]);
    expect(taken(await run("up", around + server))).toEqual([]);
  });
});

describe("a server that ended in ERROR", () => {
  test("is replaced by the next up, where the official engine updates it in place and calls it well", async () => {
    const { program, config } = recorded("c3-up-server-error");
    const failed = await lab.run({ args: "up", program, config });
    expect(failed.errors.join()).toContain("No valid host was found");
    const plan = await lab.run({ args: "preview", program, config });
    expect(taken(plan)).toContain("replace Instance::second");
  });
});

describe("a wait that fails", () => {
  test("leaves the object's id in the state, so that nothing is made twice and nothing is left", async () => {
    await run("destroy", "");
    lab.answering((call, answer) =>
      call.method === "GET" && /^\/v2\.0\/networks\/[^/]+$/.test(call.path)
        ? answer.replace('"status":"ACTIVE"', '"status":"BUILD"')
        : answer,
    );
    const failed = await run("up", slow);
    expect(failed.errors.join()).toMatch(/network .* to become/);
    const [network] = failed.resources.filter(({ type }) => type === "openstack:networking/network:Network");
    expect(network?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(network?.initErrors).toHaveLength(1);
    lab.answering((_, answer) => answer);
    const mended = await run("up", slow);
    expect(mended.errors).toEqual([]);
    expect(mended.calls.filter(({ method, path }) => method === "POST" && path === "/v2.0/networks")).toEqual([]);
    expect(mended.resources.find(({ urn }) => urn === network?.urn)).toMatchObject({ id: network?.id });
    const gone = await run("destroy", "");
    expect(gone.calls.filter(({ method }) => method === "DELETE").map(({ path }) => path)).toEqual([
      `/v2.0/networks/${network?.id}`,
    ]);
    expect(await lab.leftovers()).toEqual([]);
  });
});

describe("a security group rule that is wanted back after a run that failed before its deletions", () => {
  const open = (port: number, more = "") => `${preamble}
const group = new os.networking.SecGroup("door");
const rule = new os.networking.SecGroupRule("web", {
  direction: "ingress", ethertype: "IPv4", protocol: "tcp", portRangeMin: ${port}, portRangeMax: ${port}, securityGroupId: group.id,
});\n${more}`;
  const refused = `const network = new os.networking.Network("net");
const subnet = new os.networking.Subnet("one", { networkId: network.id, cidr: "10.81.0.0/24" }, { dependsOn: [rule] });
new os.networking.Subnet("same", { networkId: network.id, cidr: "10.81.0.0/24" }, { dependsOn: [subnet] });\n`;

  test("comes back, where the official engine is told in every run that it exists", async () => {
    expect((await run("up", open(80))).errors).toEqual([]);
    expect((await run("up", open(8080, refused))).failed).toBe(true);
    const back = await run("up", open(80));
    expect(back.errors).toEqual([]);
    expect(taken(back).filter((step) => step.includes("SecGroupRule"))).toEqual([
      "delete-replaced SecGroupRule::web",
      "create-replacement SecGroupRule::web",
      "replace SecGroupRule::web",
      "delete-replaced SecGroupRule::web",
    ]);
    expect((await run("destroy", "")).errors).toEqual([]);
    expect(await lab.leftovers()).toEqual([]);
  });
});
