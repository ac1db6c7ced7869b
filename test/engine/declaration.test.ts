import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { declarationsOf } from "../../src/engine/embedded/program/declaration.ts";
import type { ResourceState } from "../../src/engine/embedded/state/resource-state.ts";
import { Secret, type ValueMap } from "../../src/engine/embedded/values/value.ts";
import { resourceKinds } from "../../src/provider/kinds.ts";
import { resourceState } from "./support/resource-state.ts";

const state = (type: string, name: string, inputs: ValueMap, more: Partial<ResourceState> = {}) =>
  resourceState(`urn:pulumi:dev::trace::${type}::${name}`, { type, inputs, ...more });
const context = {
  named: {},
  explicitProviders: new Set<string>(),
  sdkOf: async (packageName: string) => `@pulumi/${packageName}`,
};
const declared = async (...states: ResourceState[]) => (await declarationsOf(states, context)).split("\n\n")[1];

// What `pulumi import` 3.248.0 with the provider openstack 3.15.2 printed for such objects.
describe("the declaration of what was imported", () => {
  it("is that of `pulumi import`: sorted, lists of one in a line, no defaults", async () => {
    const type = "openstack:networking/port:Port";
    const inputs = {
      __defaults: [],
      portSecurityEnabled: true,
      allowedAddressPairs: [{ ipAddress: "10.1.1.1", __defaults: [] }],
      name: "p",
      adminStateUp: true,
    };
    expect(
      await declarationsOf([state(type, "class", inputs, { protect: true })], context),
    ).toBe(`import * as pulumi from "@pulumi/pulumi";
import * as openstack from "@pulumi/openstack";

const _class = new openstack.networking.Port("class", {
    adminStateUp: true,
    allowedAddressPairs: [{
        ipAddress: "10.1.1.1",
    }],
    name: "p",
    portSecurityEnabled: true,
}, {
    protect: true,
});`);
  });

  it("makes variables of any name, each its own", async () => {
    const rule = (name: string) => state("openstack:networking/secGroupRule:SecGroupRule", name, { portRangeMax: 22 });
    const text = await declared(rule("1rule-x"), rule("my-sub.net"), rule("my_sub.net"));
    expect(text?.match(/const \S+/g)).toEqual(["const _1rule_x", "const my_sub_net", "const my_sub_net2"]);
    expect(text).toContain('SecGroupRule("1rule-x", {\n    portRangeMax: 22,\n});');
  });

  it("keeps texts what they are", async () => {
    const texts = {
      quoted: `q"uo \${x} \\ te`,
      lines: `#cloud-config\nname: \`\${x}\` \\ \r\n`,
      line: "one\n",
      "a-b": "key",
    };
    const text = await declared(state("test:index:Thing", "thing", texts));
    const body = /new test\.Thing\("thing", (\{[\s\S]*\})\);/.exec(text ?? "")?.[1];
    // the declaration's own object, as the program would have it
    expect(new Function(`return ${body}`)()).toEqual(texts);
    expect(text).toContain("    lines: `#cloud-config\nname");
    expect(text).toContain(`quoted: "q\\"uo \${x} \\\\ te"`);
    expect(text).toContain('line: "one\\n"');
  });

  it("does not hold secrets", async () => {
    const text = await declared(
      state("test:index:Thing", "thing", { pass: Secret.of("hush"), deep: { a: [Secret.of("hush")] } }),
    );
    expect(text).not.toContain("hush");
    expect(text).toContain('pass: new pulumi.Config().requireSecret("thing-pass")');
  });
});

it("names the class that the SDK has of each type", async () => {
  const openstack = createRequire(import.meta.url)("@pulumi/openstack");
  const missing = [];
  for (const type of resourceKinds.keys()) {
    const path = /new openstack\.(\S+)\(/.exec((await declared(state(type, "one", {}))) ?? "")?.[1]?.split(".") ?? [];
    const found = path.reduce((at, key) => at?.[key], openstack);
    if (found?.__pulumiType !== type) missing.push(type);
  }
  expect(missing).toEqual([]);
  expect(resourceKinds.size).toBeGreaterThan(20);
});
