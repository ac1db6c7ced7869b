import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { integrityProblem } from "../../src/engine/embedded/state/integrity.ts";
import { declare, declaredUrn, program, types } from "./support/declared.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("declared");
});
afterEach(() => bench.dispose());

const net = declaredUrn(types.Network, "net");
const group = declaredUrn(types.SecGroup, "group");
const network = (inputs: object = {}) => declare("Network", "net", { name: "net", ...inputs });
const subnet = (inputs: object = {}) =>
  declare("Subnet", "sub", { name: "sub", cidr: "c", networkId: "<net.id>", ...inputs });
const rules = (inputs: object = {}) => declare("SecGroup", "group", { name: "group", ...inputs });

const wellFormed = async () => {
  const { resources = [] } = await bench.latest();
  const filled = resources.map((resource: object) => ({ dependencies: [], propertyDependencies: {}, ...resource }));
  expect(integrityProblem(filled)).toBeUndefined();
  return resources.map(({ urn }: { urn: string }) => urn);
};

describe("--target", () => {
  it("makes what it names and no more; what is new and not named is left for the next run", async () => {
    const { outputs } = await bench.up(program([network(), rules()], { net: "<net.id>", group: "<group.id>" }), {
      targets: [group],
    });
    expect(bench.cloud.calls).toEqual(["create SecGroup group"]);
    expect(outputs.outputs).toBeUndefined();
    expect(await wellFormed()).not.toContain(net);
    await bench.up(program([network(), rules()]));
    expect(bench.cloud.calls).toEqual(["create Network net"]);
  });

  it("changes what it names and leaves the rest as it is, inputs too", async () => {
    await bench.up(program([network(), subnet(), rules()]));
    const changed = program([network({ description: "x" }), subnet({ description: "x" }), rules({ description: "x" })]);
    expect((await bench.preview(changed, { targets: ["**:SecGroup::*"] })).changes).toEqual({ same: 3, update: 1 });
    await bench.up(changed, { targets: ["**:SecGroup::*"] });
    expect(bench.cloud.calls).toEqual(["update SecGroup group"]);
    await wellFormed();
    await bench.up(changed, { targets: [net], targetDependents: true });
    expect(bench.cloud.calls).toEqual(["update Network net", "update Subnet sub"]);
    expect((await bench.up(changed)).changes).toEqual({ same: 4 });
  });

  it("keeps what the program has no more, in an order that can be loaded", async () => {
    await bench.up(program([network(), subnet(), rules()]));
    // The network has gone from the program, and with it what the untargeted subnet names.
    const rest = program([subnet({ networkId: "n" }), rules({ description: "x" })]);
    await bench.up(rest, { targets: [group] });
    expect(bench.cloud.calls).toEqual(["update SecGroup group"]);
    const urns = await wellFormed();
    expect(urns.indexOf(net)).toBeLessThan(urns.findIndex((urn: string) => urn.endsWith("::sub")));
    await bench.up(rest);
    expect(bench.cloud.calls).toContain("delete Network net");
  });

  it("says what is missing where a target needs something that is not made", async () => {
    const failure = await failureOf(
      bench.up(program([network(), subnet()]), { targets: [declaredUrn(types.Subnet, "sub")] }),
    );
    expect(failure).toMatchObject({ code: "E_UPDATE_FAILED", hint: expect.stringContaining(`--target '${net}'`) });
    expect(bench.cloud.calls).toEqual([]);
  });

  it("that is nowhere is an error, and nothing is deleted then", async () => {
    await bench.up(program([network(), rules()]));
    const failure = await failureOf(bench.up(program([network()]), { targets: ["urn:nowhere"] }));
    expect(failure).toMatchObject({ code: "E_LOOKUP", message: expect.stringContaining("urn:nowhere") });
    expect((await failureOf(bench.destroy({ targets: ["urn:nowhere"] }))).code).toBe("E_LOOKUP");
    expect((await failureOf(bench.up(program([network()]), { replaces: ["urn:nowhere"] }))).code).toBe("E_LOOKUP");
    expect(bench.cloud.calls).toEqual([]);
  });

  it("deletes what it names, with what depends on it only if told so", async () => {
    await bench.up(program([network(), subnet(), rules()]));
    const failure = await failureOf(bench.destroy({ targets: [net] }));
    expect(failure.message).toMatch(/::sub would be deleted too, but is not among the targets$/);
    expect(bench.cloud.calls).toEqual([]);
    await bench.destroy({ targets: [net], targetDependents: true });
    expect(bench.cloud.calls).toEqual(["delete Subnet sub", "delete Network net"]);
    expect(await wellFormed()).toContain(group);
    await bench.up(program([rules()]), { targets: [group] });
    await bench.up(program([]), { targets: [group] });
    expect(bench.cloud.calls).toEqual(["delete SecGroup group"]);
  });
});

it("--replace makes a resource anew though nothing of it has changed", async () => {
  await bench.up(program([network(), subnet()]));
  await bench.preview(program([network(), subnet()]), { replaces: [net] });
  expect(bench.steps()).toContain("replace net");
  const { changes } = await bench.up(program([network(), subnet()]), { replaces: [net] });
  expect(changes).toEqual({ same: 1, replace: 2 });
  expect(bench.reasons("net")).toEqual(["id"]);
  expect(bench.cloud.ofType("Network")).toHaveLength(1);
  expect((await bench.up(program([network(), subnet()]))).changes).toEqual({ same: 3 });
});
