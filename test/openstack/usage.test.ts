import { expect, test } from "vitest";
import { quotaUsage } from "../../src/openstack/usage.ts";
import { PaperStack } from "../release/paper-stack.ts";

test("what a project uses of its quotas, a line each; armed faults show in it", async () => {
  const paper = await PaperStack.create();
  try {
    const { session, test } = paper;
    expect(await quotaUsage(session)).toEqual([
      "instances: 1 of 10 used",
      "cores: 1 of 20 used",
      "memory MiB: 512 of 51200 used",
      "floating IPs: 1 of 50 used",
      "networks: 1 of 100 used",
      "routers: 1 of 10 used",
      expect.stringMatching(/^ports: \d of 500 used$/),
    ]);
    test.cloud.faults.arm("P12:quota-cores");
    test.cloud.faults.arm("P12:quota-fip");
    const lines = await quotaUsage(session);
    expect(lines).toContain("cores: 20 of 20 used");
    expect(lines).toContain("floating IPs: 50 of 50 used");
  } finally {
    await paper.remove();
  }
});
