import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { declare, declaredUrn, program, types } from "./support/declared.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("declared");
});
afterEach(() => bench.dispose());

const text = async () => JSON.stringify((await bench.latest()).resources);

describe("aliases", () => {
  it("rename a resource and all that names it, and leave no trace of the old name", async () => {
    const subnet = (network: string) =>
      declare("Subnet", "sub", { name: "sub", cidr: "c", networkId: `<${network}.id>` });
    await bench.up(program([declare("Network", "old", { name: "net" }), subnet("old")]));
    const renamed = [declare("Network", "new", { name: "net" }, { aliases: [{ name: "old" }] }), subnet("new")];
    expect((await bench.preview(program(renamed))).changes).toEqual({ same: 3 });
    expect((await bench.up(program(renamed))).changes).toEqual({ same: 3 });
    expect(bench.cloud.calls).toEqual([]);
    const file = await text();
    expect(file).not.toContain(declaredUrn(types.Network, "old"));
    expect(file).not.toContain("aliases");
    expect(file).toContain(
      `"propertyDependencies":{"cidr":[],"name":[],"networkId":["${declaredUrn(types.Network, "new")}"]}`,
    );
    // The alias may go once it was followed.
    expect((await bench.up(program([declare("Network", "new", { name: "net" }), subnet("new")]))).changes).toEqual({
      same: 3,
    });
    expect(bench.cloud.calls).toEqual([]);
  });

  it("of a component are followed by its children, with the names that begin with its own", async () => {
    const stack = (group: string, options = {}) =>
      program([
        declare("Group", group, {}, options),
        declare("Network", `${group}-net`, { name: "net" }, { parent: group }),
        declare("Group", `${group}-inner`, {}, { parent: group }),
        declare("SecGroup", "rules", { name: "rules" }, { parent: `${group}-inner` }),
      ]);
    await bench.up(stack("app"));
    const { changes } = await bench.up(stack("service", { aliases: [{ name: "app" }] }));
    expect(changes).toEqual({ same: 5 });
    expect(bench.cloud.calls).toEqual([]);
    expect(await text()).not.toContain("::app");
    expect((await bench.up(stack("service"))).changes).toEqual({ same: 5 });
  });

  it("bring a resource below another parent and back to none", async () => {
    const net = (options: object) => declare("Network", "net", { name: "net" }, { ...options });
    const group = declare("Group", "app");
    await bench.up(program([net({})]));
    await bench.up(program([group, net({ parent: "app", aliases: [{ noParent: true }] })]));
    expect(await text()).toContain(declaredUrn(`${types.Group}$${types.Network}`, "net"));
    await bench.up(program([group, net({ aliases: [{ parent: "app" }] })]));
    expect(bench.cloud.calls).toEqual([]);
    expect(await text()).not.toContain(`${types.Group}$${types.Network}`);
  });

  it("hold for explicit providers: their resources stay", async () => {
    const stack = (provider: string, options = {}) =>
      program([
        declare("Provider", provider, { cloud: "other" }, options),
        declare("Network", "net", { name: "net" }, { provider }),
      ]);
    await bench.up(stack("first"));
    expect((await bench.up(stack("second", { aliases: [{ name: "first" }] }))).changes).toEqual({ same: 3 });
    expect(bench.cloud.calls).toEqual([]);
    expect(await text()).not.toContain(declaredUrn(types.Provider, "first"));
    expect((await bench.up(stack("second"))).changes).toEqual({ same: 3 });
  });

  it("hold through a replacement, whose predecessor goes by the new name", async () => {
    await bench.up(program([declare("Network", "old", { name: "net", region: "R1" })]));
    const renamed = declare("Network", "new", { name: "net", region: "R2" }, { aliases: [{ name: "old" }] });
    bench.cloud.before = (call) => {
      if (call.startsWith("delete")) throw new Error("still in use");
    };
    await failureOf(bench.up(program([renamed])));
    const networks = (await bench.latest()).resources.filter(({ type }: { type: string }) => type === types.Network);
    expect(
      networks.map(({ urn, delete: doomed }: { urn: string; delete?: boolean }) => [urn, doomed === true]),
    ).toEqual([
      [declaredUrn(types.Network, "new"), false],
      [declaredUrn(types.Network, "new"), true],
    ]);
    bench.cloud.before = () => undefined;
    await bench.up(program([renamed]));
    expect(bench.cloud.calls).toEqual(["delete Network new"]);
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
  });

  it("hold for what an interrupted run was making under the old name", async () => {
    bench.cloud.isUncertain = () => true;
    bench.cloud.after = (call) => {
      if (call.startsWith("create")) throw new Error("no answer");
    };
    await failureOf(bench.up(program([declare("Network", "old", { name: "net" })])));
    expect((await bench.latest()).pending_operations).toHaveLength(1);
    bench.cloud.after = () => undefined;
    await bench.up(program([declare("Network", "new", { name: "net" }, { aliases: [{ name: "old" }] })]));
    expect(bench.cloud.calls).toEqual([]);
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect((await bench.latest()).pending_operations).toBeUndefined();
    expect(await text()).not.toContain(declaredUrn(types.Network, "old"));
    expect(await text()).toContain(declaredUrn(types.Network, "new"));
  });

  it("that two resources claim, or that is a resource itself, are refused before anything happens", async () => {
    await bench.up(program([declare("Network", "old", { name: "net" })]));
    const heir = (name: string) => declare("Network", name, { name: "net" }, { aliases: [{ name: "old" }] });
    const old = declare("Network", "old", { name: "net" });
    const itself = await failureOf(bench.up(program([old, heir("a")])));
    expect(itself.code).toBe("E_PROGRAM_FAILED");
    expect([itself.message, ...itself.details].join("\n")).toMatch(/alias .*::old of .*::a is registered itself/);
    const twice = await failureOf(bench.up(program([heir("a"), heir("b")])));
    expect([twice.message, ...twice.details].join("\n")).toMatch(/alias .*::old of .*::b is also one of .*::a/);
    expect(bench.cloud.calls).toEqual([]);
  });
});
