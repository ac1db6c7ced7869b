import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { declare, declaredUrn, program, types } from "./support/declared.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("declared");
});
afterEach(() => bench.dispose());

const network = (name: string, inputs: object = {}, options: object = {}) =>
  declare("Network", name, { name, ...inputs }, { ...options });
const text = async () => JSON.stringify(await bench.latest());
const stateOf = async (name: string) =>
  (await bench.latest()).resources.find(({ urn }: { urn: string }) => urn.endsWith(`::${name}`));

describe("a resource is replaced", () => {
  it("when its trigger changes, not when it gets or loses one", async () => {
    const triggered = (trigger?: unknown) =>
      program([network("net", {}, trigger === undefined ? {} : { replacementTrigger: trigger })]);
    await bench.up(triggered());
    expect((await bench.up(triggered({ version: 1 }))).changes).toEqual({ same: 2 });
    expect((await stateOf("net")).replacementTrigger).toEqual({ version: 1 });
    expect((await bench.up(triggered({ version: 2 }))).changes).toEqual({ same: 1, replace: 1 });
    expect((await bench.up(triggered())).changes).toEqual({ same: 2 });
  });

  it("when what it is deleted with is, and its own object is then not deleted", async () => {
    const stack = (region: string) =>
      program([network("host", { region }), declare("SecGroup", "guest", { name: "guest" }, { deletedWith: "host" })]);
    await bench.up(stack("R1"));
    await bench.up(stack("R2"));
    expect(bench.cloud.calls).toEqual(["create Network host", "create SecGroup guest", "delete Network host"]);
    expect((await bench.up(stack("R2"))).changes).toEqual({ same: 3 });
  });

  it("with the program's deleteBeforeReplace over the provider's, and what depends on it at every depth", async () => {
    const chain = (region: string, deleteBeforeReplace: boolean) =>
      program([
        network("root", { region }, { deleteBeforeReplace }),
        declare("Subnet", "one", { name: "one", networkId: "<root.id>", cidr: "c" }),
        declare("Port", "two", { name: "two", networkId: "<one.id>" }),
        declare("Port", "three", { name: "three", networkId: "<two.id>" }),
        declare("SecGroup", "beside", { name: "<three.id>" }),
      ]);
    bench.cloud.deleteFirst.add("Network");
    await bench.up(chain("R1", false));
    await bench.up(chain("R2", true));
    expect(bench.cloud.calls).toEqual([
      "delete Port three",
      "delete Port two",
      "delete Subnet one",
      "delete Network root",
      "create Network root",
      "create Subnet one",
      "create Port two",
      "create Port three",
      "update SecGroup beside",
    ]);
    await bench.up(chain("R3", false));
    expect(bench.cloud.calls[0]).toBe("create Network root");
    expect(bench.cloud.calls.at(-1)).toBe("delete Network root");
    expect((await bench.up(chain("R3", false))).changes).toEqual({ same: 6 });
  });

  it("and left in the cloud where it is to be retained", async () => {
    const stack = (region: string) => program([network("net", { region }, { retainOnDelete: true })]);
    await bench.up(stack("R1"));
    await bench.up(stack("R2"));
    expect(bench.cloud.calls).toEqual(["create Network net"]);
    expect(bench.cloud.ofType("Network")).toHaveLength(2);
    expect((await bench.latest()).resources).toHaveLength(3);
  });

  it("on changes that the program names, with wildcards", async () => {
    const stack = (tags: string[], options: object = {}) => program([network("net", { tags }, options)]);
    await bench.up(stack(["a"]));
    expect((await bench.up(stack(["b"], { replaceOnChanges: ["other.*"] }))).changes).toEqual({ same: 1, update: 1 });
    expect((await bench.up(stack(["c"], { replaceOnChanges: ["*"] }))).changes).toEqual({ same: 1, replace: 1 });
    expect((await stateOf("net")).replaceOnChanges).toEqual(["*"]);
  });
});

describe("changes are ignored", () => {
  it("below a path and with wildcards, and it is said where that is not possible", async () => {
    const stack = (inputs: object, ignoreChanges: string[]) => program([network("net", inputs, { ignoreChanges })]);
    const segments = (...ids: number[]) => ({
      segments: ids.map((segmentationId) => ({ segmentationId, networkType: "v" })),
    });
    await bench.up(stack(segments(1, 2), []));
    expect((await bench.up(stack(segments(3, 4), ["segments[*].segmentationId"]))).changes).toEqual({ same: 2 });
    expect((await bench.up(stack(segments(3, 2), ["segments[0]"]))).changes).toEqual({ same: 2 });
    await bench.up(stack(segments(1, 2, 3), ["segments[2]"]));
    expect(bench.messages().join("\n")).toContain(
      'cannot ignore changes in added or removed elements of the path: "segments[2]"',
    );
  });
});

describe("an existing resource", () => {
  it("gets its outputs sealed and its timeouts and order noted when the program asks for that later", async () => {
    const stack = (options: object) =>
      program([declare("Group", "app"), network("net", { description: "hush-hush" }, options)]);
    await bench.up(stack({}));
    expect(await text()).toContain('"outputs":{"description":"hush-hush"');
    const options = {
      additionalSecretOutputs: ["description"],
      customTimeouts: { create: "1m30s", read: "10s", delete: "1h" },
      dependsOn: ["app"],
    };
    expect((await bench.up(stack(options))).changes).toEqual({ same: 3 });
    expect(bench.cloud.calls).toEqual([]);
    expect(await stateOf("net")).toMatchObject({
      additionalSecretOutputs: ["description"],
      customTimeouts: { create: 90, read: 10, delete: 3600 },
      outputs: { description: { ciphertext: expect.stringMatching(/^v1:/) } },
    });
  });

  it("may be a component that takes new inputs", async () => {
    const stack = (size: number) => program([declare("Group", "app", { size })]);
    await bench.up(stack(1));
    expect((await bench.up(stack(2))).changes).toEqual({ same: 1, update: 1 });
    expect((await stateOf("app")).inputs).toEqual({ size: 2 });
  });

  it("that depends on a component depends on what is in it", async () => {
    await bench.up(
      program([
        declare("Group", "app"),
        network("inner", {}, { parent: "app" }),
        network("after", {}, { dependsOn: ["app"] }),
      ]),
    );
    const inner = declaredUrn(`${types.Group}$${types.Network}`, "inner");
    expect((await stateOf("after")).dependencies).toContain(inner);
    await bench.destroy();
    expect(bench.cloud.calls).toEqual(["delete Network after", "delete Network inner"]);
  });
});

describe("another provider", () => {
  const stack = (provider: object | undefined, config: Record<string, string> = {}) => ({
    ...program([
      ...(provider === undefined ? [] : [declare("Provider", "own", { ...provider })]),
      network("net", {}, provider === undefined ? {} : { provider: "own" }),
    ]),
    ...config,
  });

  it("takes over what the first one made, unless it says that it cannot", async () => {
    await bench.up(stack(undefined));
    await bench.up(stack({ cloud: "other" }));
    expect(bench.steps()).toEqual(["create own"]);
    await bench.up(stack(undefined));
    expect(bench.steps()).toEqual(["delete own"]);
    expect(bench.cloud.calls).toEqual([]);
    bench.cloud.replacingConfig = ["cloud"];
    await bench.up(stack({ cloud: "elsewhere" }));
    expect(bench.steps()).toContain("replace net");
    expect(bench.reasons("net")).toEqual(["provider"]);
    await bench.up(stack({ cloud: "far away" }));
    expect(bench.steps()).toEqual([
      "create-replacement own",
      "replace own",
      "create-replacement net",
      "replace net",
      "delete-replaced net",
      "delete-replaced own",
    ]);
    expect(bench.cloud.configured.slice(-2)).toEqual(
      expect.arrayContaining(
        [{ cloud: "far away" }, { cloud: "elsewhere" }].map((own) => expect.objectContaining(own)),
      ),
    );
    await bench.up(stack({ cloud: "far away" }));
    expect(bench.steps()).toEqual([]);
  });

  it("must be named where default ones are disabled", async () => {
    const disabled = { "pulumi:disable-default-providers": '["openstack"]' };
    const failure = await failureOf(bench.up(stack(undefined, disabled)));
    expect(failure).toMatchObject({ code: "E_CONFIG_INVALID", hint: expect.stringContaining("explicit provider") });
    expect(failure.message).toContain("default provider of openstack is disabled");
    await bench.up(stack({ cloud: "other" }, disabled));
    expect(bench.cloud.calls).toEqual(["create Network net"]);
  });

  it("is refused with a configuration that the package finds wrong", async () => {
    const failure = await failureOf(bench.up(stack({ cloud: "wrong" })));
    expect(failure.message).toMatch(/::own: the inputs are not valid: cloud: there is none of that name$/);
  });
});
