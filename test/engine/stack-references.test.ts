import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { declare, program } from "./support/declared.ts";
import { Workbench as Bench, failureOf, type Workbench } from "./support/workbench.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await Bench.of("declared");
});
afterEach(() => bench.dispose());

const source = program([declare("Network", "net", { name: "net" })], {
  id: "<net.id>",
  note: "secret:hush-hush",
  nested: { deep: "secret:low" },
});
const reader = (name: string) =>
  program([declare("StackReference", "ref", { name })], {
    outputs: "<ref.outputs>",
    secretNames: "<ref.secretOutputNames>",
  });

/** Another stack of the same project and backend. */
async function other(passphrase = bench.stack.passphrase): Promise<void> {
  await bench.engine.up({ ...bench.with(source), stack: "other", passphrase });
}

describe("a stack reference", () => {
  it("gives another stack's outputs, secrets still secret, and is kept as read", async () => {
    await other();
    const wanted = {
      outputs: { outputs: { id: expect.any(String), note: "hush-hush", nested: { deep: "low" } } },
      secretNames: ["nested", "note"],
    };
    for (const name of ["other", "organization/other", "organization/declared/other"]) {
      const { outputs } = await bench.up(reader(name));
      expect((outputs.outputs as { outputs: object }).outputs).toEqual(wanted.outputs);
      expect((outputs.outputs as { secretNames: object }).secretNames).toEqual(["outputs"]);
    }
    const { resources } = await bench.latest();
    const [provider, reference] = ["pulumi:providers:pulumi", "pulumi:pulumi:StackReference"].map((type) =>
      resources.find((resource: { type: string }) => resource.type === type),
    );
    expect(provider).toMatchObject({ urn: "urn:pulumi:dev::declared::pulumi:providers:pulumi::default" });
    expect([provider.inputs, provider.outputs, provider.parent]).toEqual([undefined, undefined, undefined]);
    expect(reference).toMatchObject({
      id: "organization/declared/other",
      external: true,
      inputs: { name: "organization/declared/other" },
      provider: `${provider.urn}::${provider.id}`,
      outputs: { secretOutputNames: ["outputs"] },
    });
    expect([reference.created, reference.modified]).toEqual([undefined, undefined]);
    expect(JSON.stringify(resources)).not.toContain("hush-hush");
    expect((await bench.preview(reader("other"))).changes).toEqual({ same: 1, read: 1 });
    await bench.refresh();
    expect((await bench.latest()).resources).toHaveLength(3);
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
    await bench.destroy();
    expect(bench.cloud.calls).toEqual([]);
  });

  it("is asked by functions too, for outputs and for resources", async () => {
    await other();
    const call = (name: string, args: object) => ({ call: `pulumi:pulumi:${name}`, args });
    const { outputs } = await bench.up(
      program([], {
        outputs: call("readStackOutputs", { name: "other" }),
        resources: call("readStackResourceOutputs", { stackName: "other" }),
      }),
    );
    const told = outputs.outputs as { outputs: object; resources: { outputs: Record<string, object> } };
    expect(told.outputs).toMatchObject({ name: "other", outputs: { outputs: { note: "hush-hush" } } });
    expect(told.resources.outputs["urn:pulumi:other::declared::openstack:networking/network:Network::net"]).toEqual({
      type: "openstack:networking/network:Network",
      outputs: expect.objectContaining({ name: "net", id: expect.any(String) }),
    });
    expect(JSON.stringify(await bench.latest())).not.toContain("hush-hush");
  });

  it("has empty secrets where they are another passphrase's, and says so", async () => {
    await other("another one");
    await bench.up(reader("other"));
    expect(bench.messages()).toContain("info: eliding undecryptable secrets for stack reference 'other'");
  });

  it("to a stack that is not there is a clear error", async () => {
    for (const name of ["nowhere", "organization/elsewhere/dev", "acme/declared/other", "../other"]) {
      const failure = await failureOf(bench.preview(reader(name)));
      expect(failure).toMatchObject({ code: "E_STACK_UNKNOWN", hint: expect.stringContaining("organization/") });
      expect(failure.message).toContain(`"${name}"`);
    }
  });
});
