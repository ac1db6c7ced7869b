import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("options");
});
afterEach(() => bench.dispose());

const parts = (...names: string[]) => ({ "options:parts": names.join(",") });

describe("resource options", () => {
  it("an explicit provider is configured with its own inputs, known to its resources, and updated in place", async () => {
    await bench.preview(parts("provider"));
    expect(bench.steps()).toContain("create provided");
    await bench.up(parts("provider"));
    expect(bench.cloud.configured.at(-1)).toMatchObject({ cloud: "other", region: "R1" });
    const { resources } = await bench.latest();
    const provider = resources.find((resource: { type: string }) => resource.type === "pulumi:providers:openstack");
    const network = resources.find((resource: { type: string }) => resource.type.endsWith(":Network"));
    expect(network.provider).toBe(`${provider.urn}::${provider.id}`);
    expect(provider.parent).toBe("urn:pulumi:dev::options::pulumi:pulumi:Stack::options-dev");

    await bench.up({ ...parts("provider"), "options:region": "R2" });
    expect(bench.cloud.configured.at(-1)).toMatchObject({ region: "R2" });
    expect(bench.steps()).toEqual(["update own"]);
    await bench.destroy();
    expect(bench.cloud.objects.size).toBe(0);
  });

  it("a provider that depends on a resource is not asked before its configuration is known", async () => {
    const { changes } = await bench.preview(parts("late"));
    expect(changes).toEqual({ create: 4 }); // with the stack and the provider
    await bench.up(parts("late"));
    const [early] = bench.cloud.ofType("Network");
    expect(bench.cloud.configured.at(-1)).toEqual({ cloud: "other", region: early?.id });
    expect((await bench.up(parts("late"))).changes).toEqual({ same: 4 });
    await bench.destroy();
    expect(bench.cloud.calls).toEqual(["delete SecGroup within", "delete Network early"]);
  });

  it("protect holds against deletion and replacement until it is taken away", async () => {
    await bench.up(parts("protected"));
    const failure = await failureOf(bench.up());
    expect(failure).toMatchObject({ code: "E_UPDATE_FAILED" });
    expect(failure.message).toMatch(/Network::kept is protected and cannot be deleted$/);
    expect((await failureOf(bench.destroy())).message).toContain("protected");
    expect((await failureOf(bench.up({ ...parts("protected"), "options:region": "R2" }))).message).toContain(
      "protected",
    );
    expect(bench.cloud.calls).toEqual([]);
    await bench.up(parts("unprotected"));
    await bench.up();
    expect(bench.cloud.calls).toEqual(["delete Network kept"]);
  });

  it("ignoreChanges keeps the old value of its paths only", async () => {
    await bench.up(parts("ignored"));
    await bench.up({ ...parts("ignored"), "options:name": "second" });
    expect(bench.cloud.ofType("Network")[0]?.properties).toMatchObject({ name: "first", description: "second" });
    await bench.up({ ...parts("ignored"), "options:name": "second" });
    expect(bench.cloud.calls).toEqual([]);
  });

  it("deleteBeforeReplace takes dependents along that cannot live on, and no others", async () => {
    await bench.up(parts("chain"));
    await bench.preview({ ...parts("chain"), "options:region": "R2" });
    expect(bench.steps().slice(0, 2)).toEqual(["delete-replaced branch", "delete-replaced root"]);
    const { changes } = await bench.up({ ...parts("chain"), "options:region": "R2" });
    expect(bench.cloud.calls).toEqual([
      "delete Subnet branch",
      "delete Network root",
      "create Network root",
      "create Subnet branch",
    ]);
    expect(changes).toEqual({ replace: 2, same: 2 });
    expect((await bench.up({ ...parts("chain"), "options:region": "R2" })).changes).toEqual({ same: 4 });
  });

  it("a cascade that fails half-way is finished by the next run", async () => {
    await bench.up(parts("chain"));
    bench.cloud.before = (call) => {
      if (call === "create Network root") throw new Error("no more networks");
    };
    const changed = { ...parts("chain"), "options:region": "R2" };
    await failureOf(bench.up(changed));
    expect(bench.cloud.ofType("Subnet")).toEqual([]);
    bench.cloud.before = () => undefined;
    await bench.up(changed);
    expect(bench.cloud.calls).toEqual(["create Network root", "create Subnet branch"]);
    expect((await bench.up(changed)).changes).toEqual({ same: 4 });
  });

  it("what was deleted for a replacement that is not wanted any more leaves no trace", async () => {
    await bench.up(parts("chain"));
    bench.cloud.before = (call) => {
      if (call === "create Network root") throw new Error("no more networks");
    };
    await failureOf(bench.up({ ...parts("chain"), "options:region": "R2" }));
    bench.cloud.before = () => undefined;
    await bench.destroy();
    expect(bench.cloud.calls).toEqual(["delete SecGroup aside"]);
    expect((await bench.latest()).resources).toBeUndefined();
  });

  it("additionalSecretOutputs and the SDK's own are encrypted in the state", async () => {
    await bench.up(parts("private"));
    const { resources } = await bench.latest();
    const key = resources.find((resource: { type: string }) => resource.type.endsWith(":Keypair"));
    expect(key.additionalSecretOutputs.sort()).toEqual(["fingerprint", "privateKey"]);
  });
});

describe("programs", () => {
  it("may hold resources as values", async () => {
    await bench.up(parts("reference"));
    const { resources } = await bench.latest();
    const [holder, network] = ["Holder", "Network"].map((kind) =>
      resources.find((resource: { type: string }) => resource.type.endsWith(`:${kind}`)),
    );
    expect(holder.outputs.network).toMatchObject({ urn: network.urn, id: network.id });
    expect(holder.outputs.secret.ciphertext).toMatch(/^v1:/);
    expect((await bench.up(parts("reference"))).changes).toEqual({ same: 3 });
  });

  it("may leave a resource behind, or let it go with another", async () => {
    await bench.up(parts("retained"));
    await bench.destroy();
    expect(bench.cloud.calls).toEqual(["delete SecGroup first"]);
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect((await bench.latest()).resources).toBeUndefined();
  });

  it("read what they do not own, and a destroy leaves it alone", async () => {
    const properties = { name: "found", cidr: "x" };
    bench.cloud.objects.set("id-1", { id: "id-1", type: "openstack:networking/network:Network", properties });
    await bench.up({ ...parts("read"), "options:id": "id-1" });
    expect(bench.cloud.ofType("SecGroup")[0]?.properties.name).toBe("found-group");
    expect(bench.steps()).toContain("read found");
    await bench.destroy();
    expect([...bench.cloud.objects.keys()]).toEqual(["id-1"]);
    const failure = await failureOf(bench.up({ ...parts("read"), "options:id": "id-2" }));
    expect(failure.message).toContain("resource 'id-2' does not exist");
  });

  it("have outputs of every kind", async () => {
    const { outputs } = await bench.up({ "options:note": "said" });
    expect(outputs).toEqual({ note: "said", size: 1, nested: { list: [1, "two", null], flag: true } });
    expect(await bench.engine.outputs(bench.stack)).toEqual(outputs);
  });

  it("cannot register one name twice", async () => {
    const failure = await failureOf(bench.preview(parts("twice")));
    expect(failure).toMatchObject({ code: "E_PROGRAM_FAILED" });
    expect([failure.message, ...failure.details].join("\n")).toContain("SecGroup::twice twice");
  });

  it("whose resources depend on each other in a circle are told which, and nothing is touched", async () => {
    await bench.up(parts("private"));
    const failure = await failureOf(bench.up(parts("private", "circle")));
    expect(failure).toMatchObject({ code: "E_PROGRAM_FAILED", hint: expect.stringContaining("circle") });
    expect(failure.message).toBe("the program ended while resources were waiting: first, second");
    expect(bench.cloud.calls).toEqual([]);
    expect((await bench.up(parts("private"))).changes).toEqual({ same: 2 });
  });

  it("are told what the provider refuses, with the resource", async () => {
    const failure = await failureOf(bench.preview(parts("invalid")));
    expect(failure.message).toMatch(/SecGroup::nameless: the inputs are not valid: name: must not be empty$/);
  });

  it("that need the official engine are told so", async () => {
    const refused = await failureOf(bench.preview(parts("replacing")));
    expect(refused).toMatchObject({
      code: "E_UNSUPPORTED",
      exitCode: 2,
      hint: expect.stringContaining("official engine"),
    });
    expect(refused.message).toContain("replaceWith");
    expect(await failureOf(bench.preview(parts("hooked")))).toMatchObject({
      code: "E_UNSUPPORTED",
      message: expect.stringContaining("resource hooks"),
    });
  });

  it("get configuration of the declared type or none", async () => {
    const failure = await failureOf(bench.up({ "options:size": "many" }));
    expect(failure).toMatchObject({
      code: "E_CONFIG_INVALID",
      message: expect.stringContaining("options:size must be of type integer"),
    });
  });
});
