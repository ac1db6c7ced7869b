import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { declare, declaredUrn, program, types } from "./support/declared.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("declared");
  const properties = { name: "net", region: "R1" };
  bench.cloud.objects.set("id-1", { id: "id-1", type: types.Network, properties });
  bench.cloud.objects.set("id-2", { id: "id-2", type: types.Subnet, properties: { name: "sub", cidr: "10.0.0.0/24" } });
});
afterEach(() => bench.dispose());

const net = { type: types.Network, name: "net", id: "id-1" };
const netUrn = declaredUrn(types.Network, "net");
const named = async (name: string) =>
  (await bench.latest()).resources.find(({ urn }: { urn: string }) => urn.endsWith(`::${name}`));
const history = async () => {
  const folder = join(bench.state, ".pulumi/history/declared/dev");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".history.json")).sort();
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8"))));
};

describe("an import without a program", () => {
  it("takes an object into a state that is yet to be, protected, and a program that says the same finds it unchanged", async () => {
    const { changes, program: text } = await bench.import([net]);
    expect(changes).toEqual({ create: 1, import: 1 });
    expect(bench.cloud.calls).toEqual([]);
    const state = await named("net");
    expect(state).toMatchObject({ id: "id-1", protect: true, inputs: { name: "net", region: "R1" } });
    expect(state.importID).toBeUndefined();
    expect(state.parent).toBe(declaredUrn("pulumi:pulumi:Stack", "declared-dev"));
    expect((await bench.latest()).pending_operations).toBeUndefined();
    expect(await history()).toMatchObject([{ kind: "resource-import", result: "succeeded", resourceChanges: changes }]);
    expect(text).toContain('new openstack.networking.Network("net", {\n    name: "net",\n    region: "R1",\n}, {\n');
    const same = { name: "net", region: "R1" };
    expect((await bench.up(program([declare("Network", "net", same, { protect: true })]))).changes).toEqual({
      same: 2,
    });
    expect((await failureOf(bench.destroy())).message).toContain("protect");
  });

  it("leaves the rest of the stack as it is, in an order that can be read again", async () => {
    await bench.up(program([declare("SecGroup", "group", { name: "group" })]));
    const before = await named("group");
    const { changes } = await bench.import(
      [
        { ...net, parent: declaredUrn(types.SecGroup, "group") },
        { type: types.Subnet, name: "sub", id: "id-2" },
      ],
      { protect: false },
    );
    expect(changes).toEqual({ same: 2, import: 2 });
    expect(await named("group")).toEqual(before);
    expect((await named("net")).protect).toBeUndefined();
    expect((await bench.refresh()).changes).toEqual({ same: 4 });
    await bench.destroy();
    expect(bench.cloud.objects.size).toBe(0);
  });

  it("brings parents that are imported with their children first", async () => {
    const child = { type: types.Subnet, name: "sub", id: "id-2", parent: netUrn };
    const { program: text } = await bench.import([child, net], { nameTable: { mine: netUrn } });
    expect(bench.steps()).toEqual(expect.arrayContaining(["import net", "import sub"]));
    expect(bench.steps().indexOf("import net")).toBeLessThan(bench.steps().indexOf("import sub"));
    expect(await named("sub")).toMatchObject({ parent: netUrn });
    expect(text).toContain("{\n    parent: mine,\n    protect: true,\n}");
  });

  it("shows in a preview what it would take, and saves nothing", async () => {
    const { changes, program: text } = await bench.import([net], { previewOnly: true });
    expect(changes).toEqual({ create: 1, import: 1 });
    expect(text).toContain("openstack.networking.Network");
    expect(bench.events.at(-2)).toMatchObject({ summaryEvent: { isPreview: true, result: "succeeded" } });
    expect(await readdir(bench.state)).toEqual([]);
  });

  it("changes nothing where the state has that object under that name", async () => {
    await bench.import([net]);
    const before = await named("net");
    const again = await bench.import([net], { protect: false });
    expect(again.changes).toEqual({ same: 2 });
    expect(again.program).toContain('new openstack.networking.Network("net"');
    expect(await named("net")).toEqual(before);
    expect(bench.cloud.questions).toEqual([]);
  });

  it("warns of inputs that would not pass in a program, and takes the object all the same", async () => {
    bench.cloud.objects.set("id-1", { id: "id-1", type: types.Network, properties: { name: "" } });
    await bench.import([net]);
    expect(bench.messages().join()).toMatch(/warning: imported as it is, but not valid .*: name: must not be empty/);
    expect(await named("net")).toMatchObject({ inputs: { name: "" } });
  });

  it("uses the provider that is named, and that must be the stack's", async () => {
    await bench.up(program([declare("Provider", "mine", { region: "R2" })]));
    const provider = declaredUrn(types.Provider, "mine");
    const { program: text } = await bench.import([{ ...net, provider }]);
    expect((await named("net")).provider).toBe(`${provider}::${(await named("mine")).id}`);
    expect(text).toContain("provider: mine,");
    const unknown = failureOf(bench.import([{ ...net, name: "other", provider: `${provider}s` }]));
    expect(await unknown).toMatchObject({ code: "E_USAGE", message: expect.stringContaining("no provider") });
  });
});

describe("an import is refused", () => {
  it.each([
    ["a name that another object has", { ...net, id: "id-3" }, `the stack has ${netUrn} already, with the id id-1`],
    ["a parent that is not there", { ...net, parent: `${netUrn}s` }, "could be a child of"],
    ["a type that is none", { ...net, type: "Network" }, "Network is no resource type"],
    ["an empty id", { ...net, name: "other", id: "" }, "needs a name and an id"],
  ])("for %s, with the state as it was", async (_, resource, message) => {
    await bench.import([net]);
    const before = (await bench.latest()).resources;
    const failure = await failureOf(bench.import([resource]));
    expect(failure).toMatchObject({ code: "E_USAGE", message: expect.stringContaining(message) });
    expect((await bench.latest()).resources).toEqual(before);
    expect(await bench.locks()).toEqual([]);
  });

  it("for an id that the cloud does not have; what was imported beside it stays", async () => {
    const failure = await failureOf(bench.import([net, { ...net, name: "other", id: "id-9" }], { parallel: 1 }));
    expect(failure).toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringContaining("resource 'id-9' does not exist"),
    });
    expect(await named("net")).toMatchObject({ id: "id-1" });
    expect(await named("other")).toBeUndefined();
    expect((await bench.latest()).pending_operations).toBeUndefined();
    expect((await history()).at(-1)).toMatchObject({ kind: "resource-import", result: "failed" });
  });

  it("while the stack is locked, with a wrong passphrase, and for two of one name", async () => {
    await bench.import([net]);
    const stranger = { ...bench.stack, passphrase: "open barley" };
    const wrong = await failureOf(bench.engine.importResources(stranger, [{ ...net, name: "other" }]));
    expect(wrong.code).toBe("E_PASSPHRASE_WRONG");
    const twice = await failureOf(bench.import([net, net]));
    expect(twice).toMatchObject({ code: "E_USAGE", message: expect.stringContaining("the same name") });
    await mkdir(bench.locksPath, { recursive: true });
    const lock = { pid: 1, username: "ann", hostname: "elsewhere", timestamp: new Date().toISOString() };
    await writeFile(join(bench.locksPath, "6b1d1d0e-0000-4000-8000-000000000000.json"), JSON.stringify(lock));
    expect((await failureOf(bench.import([{ ...net, name: "other" }]))).code).toBe("E_LOCKED");
  });

  it("when it is interrupted before it has begun", async () => {
    const failure = await failureOf(bench.import([net], { signal: AbortSignal.abort() }));
    expect(failure.code).toBe("E_INTERRUPTED");
    expect(bench.cloud.questions).toEqual([]);
    await expect(bench.latest()).rejects.toThrow("ENOENT");
  });
});
