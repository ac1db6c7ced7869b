import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { integrityProblem } from "../../src/engine/embedded/state/integrity.ts";
import { endedSteps } from "../support/engine-events.ts";
import { Workbench } from "./support/workbench.ts";

/** The program is a real one, run in order; each case goes on from the one before. */
describe("the life of a stack", () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await Workbench.of("network");
  });
  afterAll(() => bench.dispose());

  const wellFormed = async () => {
    const { resources = [] } = await bench.latest();
    const filled = resources.map((resource: object) => ({ dependencies: [], propertyDependencies: {}, ...resource }));
    expect(integrityProblem(filled)).toBeUndefined();
    expect((await bench.latest()).pending_operations).toBeUndefined();
    expect(await bench.locks()).toEqual([]);
  };
  const inOrder = (first: string, second: string) => {
    expect(bench.cloud.calls).toContain(first);
    expect(bench.cloud.calls.indexOf(second)).toBeGreaterThan(bench.cloud.calls.indexOf(first));
  };

  it("previews a new stack without touching anything", async () => {
    const { changes, outputs } = await bench.preview();
    expect(changes).toEqual({ create: 12 });
    expect(outputs.serverId).toBeUndefined();
    expect(bench.cloud.calls).toEqual([]);
    await expect(bench.latest()).rejects.toThrow("ENOENT");
  });

  it("creates everything, each after what it depends on", async () => {
    const { changes, outputs } = await bench.up();
    expect(changes).toEqual({ create: 12 });
    inOrder("create Network net", "create Subnet net");
    inOrder("create Subnet net", "create RouterInterface uplink");
    inOrder("create RouterInterface uplink", "create Instance server");
    inOrder("create RouterInterface uplink", "create FloatingIp address");
    expect(outputs).toEqual({
      serverId: bench.cloud.ofType("Instance")[0]?.id,
      floatingIp: bench.cloud.ofType("FloatingIp")[0]?.properties.address,
      externalNetwork: "id-of-public",
      note: "hush-hush",
    });
    expect(bench.cloud.configured.at(-1)).toEqual({ cloud: "test" });
    await wellFormed();
  });

  it("keeps state in the official engine's form", async () => {
    const { manifest, secrets_providers, resources } = await bench.latest();
    expect(manifest.magic).toMatch(/^[0-9a-f]{64}$/);
    expect(secrets_providers.state.salt).toMatch(/^v1:[^:]+:v1:[^:]+:[^:]+$/);
    const server = resources.find((resource: { type: string }) => resource.type.endsWith(":Instance"));
    expect(server).toMatchObject({
      urn: "urn:pulumi:dev::network::openstack:compute/instance:Instance::server",
      custom: true,
      parent: "urn:pulumi:dev::network::pulumi:pulumi:Stack::network-dev",
      customTimeouts: { create: 300 },
      inputs: { metadata: { note: { ciphertext: expect.stringMatching(/^v1:/) } } },
      outputs: { metadata: { note: { ciphertext: expect.stringMatching(/^v1:/) } } },
    });
    expect(server.dependencies).toContain(
      "urn:pulumi:dev::network::openstack:networking/routerInterface:RouterInterface::uplink",
    );
    const subnet = resources.find((resource: { type: string }) => resource.type.endsWith(":Subnet"));
    expect(subnet.urn).toBe(
      "urn:pulumi:dev::network::test:index:PrivateNetwork$openstack:networking/subnet:Subnet::net",
    );
    expect(subnet.propertyDependencies.networkId).toEqual([
      "urn:pulumi:dev::network::test:index:PrivateNetwork$openstack:networking/network:Network::net",
    ]);
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
  });

  it("asks only for checks, comparisons and look-ups when nothing changed, and keeps the secrets' ciphertext", async () => {
    const { resources: earlier } = await bench.latest();
    const { changes } = await bench.up();
    expect(changes).toEqual({ same: 12 });
    expect(bench.cloud.calls).toEqual([]);
    expect(new Set(bench.cloud.questions.map((question) => question.split(" ")[0]))).toEqual(
      new Set(["check", "diff", "invoke"]),
    );
    const byUrn = (a: { urn: string }, b: { urn: string }) => (a.urn < b.urn ? -1 : 1);
    expect((await bench.latest()).resources.sort(byUrn)).toEqual(earlier.sort(byUrn));
  });

  it("updates in place what can be changed, and shows how", async () => {
    await bench.up({ "network:networkName": "renamed" });
    expect(bench.cloud.calls).toEqual(["update Network net"]);
    const [told] = endedSteps(bench.events);
    expect(told).toMatchObject({
      op: "update",
      old: { inputs: { name: "net" } },
      new: { inputs: { name: "renamed" } },
      diffs: ["name"],
      detailedDiff: { name: { diffKind: "update", inputDiff: true } },
    });
  });

  it("replaces one rule and nothing else when its CIDR changes", async () => {
    await bench.preview({ "network:networkName": "renamed", "network:sshCidr": "10.0.0.0/8" });
    expect(bench.steps()).toEqual(["create-replacement rule-22", "replace rule-22", "delete-replaced rule-22"]);
    const { changes } = await bench.up({ "network:networkName": "renamed", "network:sshCidr": "10.0.0.0/8" });
    expect(changes).toEqual({ same: 11, replace: 1 });
    expect(bench.cloud.calls).toEqual(["create SecGroupRule rule-22", "delete SecGroupRule rule-22"]);
    expect(bench.cloud.ofType("SecGroupRule")).toHaveLength(2);
    await wellFormed();
  });

  it("deletes a named server before it makes its successor", async () => {
    const changed = { "network:networkName": "renamed", "network:sshCidr": "10.0.0.0/8", "network:userData": "#two" };
    const { outputs } = await bench.up(changed);
    expect(bench.cloud.calls).toEqual(["delete Instance server", "create Instance server"]);
    expect(bench.steps()).toEqual(["delete-replaced server", "replace server", "create-replacement server"]);
    expect(outputs.serverId).toBe(bench.cloud.ofType("Instance")[0]?.id);
    await wellFormed();
  });

  it("masks secrets in what it tells", async () => {
    await bench.up({ "network:note": "psst-not-to-be-seen", "network:userData": "#two" });
    // the configuration is shown as it is written: this value is a secret only to the program
    const told = JSON.stringify(bench.events.filter(({ preludeEvent }) => preludeEvent === undefined));
    expect(told).toContain("metadata");
    expect(told).not.toContain("psst-not-to-be-seen");
    expect(told).not.toContain("hush-hush");
  });

  it("reads outputs from the state", async () => {
    expect(await bench.engine.outputs(bench.stack)).toMatchObject({ note: "psst-not-to-be-seen" });
    const other = { ...bench.stack, stack: "other" };
    expect(await bench.engine.outputs(other)).toBeUndefined();
  });

  it("destroys everything without the program, each after what depends on it", async () => {
    const { changes } = await bench.destroy();
    expect(changes.delete).toBe(12);
    inOrder("delete Instance server", "delete RouterInterface uplink");
    inOrder("delete FloatingIp address", "delete RouterInterface uplink");
    inOrder("delete RouterInterface uplink", "delete Subnet net");
    inOrder("delete Port port", "delete SecGroup group");
    inOrder("delete Subnet net", "delete Network net");
    expect([...bench.cloud.objects]).toEqual([]);
    expect((await bench.latest()).resources).toBeUndefined();
    expect(await bench.locks()).toEqual([]);
  });
});
