import { expect, it } from "vitest";
import { verb } from "../../src/cli/verb.ts";
import { OpenStackError } from "../../src/openstack/errors.ts";

const options = { json: false, quiet: true, verbose: false, engine: "auto" as const, yes: false, stack: undefined };
const args = { _: [], $0: "slipway", "os-cloud": undefined, osCloud: undefined, ...options };

it("an answer of the cloud that no verb expects is its refusal, not a bug", async () => {
  const { handler } = verb({
    options: {},
    run: async () => {
      throw new OpenStackError({
        ...{ status: 403, method: "GET", url: "http://cloud/servers", requestId: "req-1" },
        body: '{"forbidden": {"message": "Policy does not allow this"}}',
      });
    },
  });
  await expect(handler(args)).rejects.toMatchObject({
    code: "E_CLOUD_API",
    exitCode: 4,
    requestId: "req-1",
    message: "GET http://cloud/servers answered 403: Policy does not allow this (req-1)",
  });
});
