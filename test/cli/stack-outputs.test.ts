import { expect, it } from "vitest";
import { requireStackOutputs } from "../../src/cli/stack-outputs.ts";

it("outputs that a run with targets has not come to are named, with the way out", () => {
  expect(() => requireStackOutputs({ serverId: "s", serverName: "n", portId: "p", fixedIp: "10.0.0.2" })).toThrow(
    expect.objectContaining({
      code: "E_UPDATE_FAILED",
      message: expect.stringContaining("lack generation, frontendPort, image, flavor, floatingIpId, floatingIp"),
      hint: expect.stringContaining("without --target"),
    }),
  );
});
