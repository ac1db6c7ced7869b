import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { declare, program, types } from "./support/declared.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.of("declared");
  bench.cloud.objects.set("id-1", { id: "id-1", type: types.Network, properties: { name: "net", region: "R1" } });
});
afterEach(() => bench.dispose());

const net = (inputs: object, id: string | undefined = "id-1") =>
  program([declare("Network", "net", { ...inputs }, id === "" ? {} : { import: id })]);
const same = { name: "net", region: "R1" };
const network = async () =>
  (await bench.latest()).resources.find((resource: { type: string }) => resource.type === types.Network);

describe("a resource that is imported", () => {
  it("comes into the state as it is, and is like any other from then on", async () => {
    expect((await bench.preview(net(same))).changes).toEqual({ create: 1, import: 1 });
    expect(bench.steps()).toContain("import net");
    await bench.up(net(same));
    expect(bench.cloud.calls).toEqual([]);
    expect(await network()).toMatchObject({ id: "id-1", importID: "id-1", inputs: same, outputs: same });
    expect((await network()).created).toMatch(/^\d{4}-/);
    expect((await bench.up(net(same))).changes).toEqual({ same: 2 });
    expect((await bench.up(net(same, ""))).changes).toEqual({ same: 2 });
    expect((await network()).importID).toBeUndefined();
    await bench.destroy();
    expect(bench.cloud.calls).toEqual(["delete Network net"]);
  });

  it("is brought to what the program wants in the same run", async () => {
    const wanted = { ...same, name: "renamed" };
    await bench.preview(net(wanted));
    expect(bench.steps()).toEqual(expect.arrayContaining(["import net", "update net"]));
    expect((await bench.up(net(wanted))).changes).toEqual({ create: 1, import: 1, update: 1 });
    expect(bench.cloud.calls).toEqual(["update Network net"]);
    expect((await bench.up(net(wanted))).changes).toEqual({ same: 2 });
  });

  it("cannot be had in a form that it would have to be replaced for; the preview warns", async () => {
    const wanted = { ...same, region: "R2" };
    await bench.preview(net(wanted));
    expect(bench.messages().join("\n")).toMatch(
      /warning: .*::net is imported, but region cannot be changed without replacing it/,
    );
    const failure = await failureOf(bench.up(net(wanted)));
    expect(failure).toMatchObject({ code: "E_UPDATE_FAILED", hint: expect.stringContaining("import") });
    expect(bench.cloud.calls).toEqual([]);
  });

  it("must exist", async () => {
    const failure = await failureOf(bench.up(net(same, "id-2")));
    expect(failure.message).toContain("resource 'id-2' does not exist");
    expect(await network()).toBeUndefined();
    expect((await bench.latest()).pending_operations).toBeUndefined();
  });

  it("takes the place of one that was made before, or only read", async () => {
    await bench.up(net(same, ""));
    await bench.up(net(same));
    expect(bench.steps()).toEqual(["import-replacement net", "replace net", "delete-replaced net"]);
    expect(bench.cloud.calls).toEqual(["delete Network net"]);
    expect([...bench.cloud.objects.keys()]).toEqual(["id-1"]);

    await bench.up(program([{ ...declare("Network", "net"), read: "id-1" }]));
    expect((await network()).external).toBe(true);
    await bench.up(net(same));
    expect(bench.steps()).toEqual(["import-replacement net", "replace net", "delete-replaced net"]);
    expect(bench.cloud.calls).toEqual([]);
    expect((await network()).external).toBeUndefined();
  });

  it("keeps what the program holds secret from being stored in clear", async () => {
    bench.cloud.objects.set("id-1", {
      id: "id-1",
      type: types.Network,
      properties: { name: "net", description: "hush-hush" },
    });
    await bench.up(net({ name: "net", description: "secret:hush-hush" }));
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
    expect((await bench.up(net({ name: "net", description: "secret:hush-hush" }))).changes).toEqual({ same: 2 });
  });
});
