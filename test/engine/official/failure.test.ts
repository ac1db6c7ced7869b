import { describe, expect, test } from "vitest";
import type { EngineEvent } from "../../../src/engine/events.ts";
import { CommandFailed } from "../../../src/engine/official/command.ts";
import { Trouble } from "../../../src/engine/official/failure.ts";

const serverUrn = "urn:pulumi:dev::shop::openstack:compute/instance:Instance::server";

function after(stderr: string, ...said: { urn?: string; message: string }[]): unknown {
  const trouble = new Trouble();
  for (const diagnostic of said) {
    trouble.note({
      sequence: 0,
      timestamp: 0,
      diagnosticEvent: { color: "never", severity: "error", prefix: "error: ", ...diagnostic },
    } satisfies EngineEvent);
  }
  return trouble.failure(new CommandFailed(1, stderr));
}

describe("what the CLI refuses to begin", () => {
  // the texts are those of Pulumi 3.248
  test.each([
    [
      "E_LOCKED",
      "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.\n  file:///state/.pulumi/locks/organization/shop/dev/1.json: created by me@here (pid 7) at 2026-01-02T03:04:05Z",
    ],
    ["E_PASSPHRASE_WRONG", "error: getting stack configuration: get stack secrets manager: incorrect passphrase"],
    ["E_STACK_UNKNOWN", "error: no stack named 'prod' found"],
    ["E_ENGINE_MISSING", "error: no resource plugin 'pulumi-resource-random' found in the workspace at version v4.0.0"],
  ])("%s", (code, stderr) => {
    expect(after(stderr)).toMatchObject({ code });
  });
});

test("a resource that failed is named, with its provider's words unwrapped and the request's id", () => {
  const failure = after(
    "error: update failed",
    {
      urn: serverUrn,
      message: `1 error occurred:\n\t* creating ${serverUrn}: 1 error occurred:\n\t* Error creating OpenStack server: 409, Request-ID: req-0a1b2c3d-0001-4002-8003-0123456789ab\n\n\n\n\n`,
    },
    { message: "update failed\n" },
  );
  expect(failure).toMatchObject({
    code: "E_UPDATE_FAILED",
    message: `${serverUrn}: Error creating OpenStack server: 409, Request-ID: req-0a1b2c3d-0001-4002-8003-0123456789ab`,
    requestId: "req-0a1b2c3d-0001-4002-8003-0123456789ab",
  });
});

test("a program's failure keeps the code that it names, with details and hint", () => {
  const failure = after(
    "",
    { message: "E_PAYLOAD_MISSING: nothing is published\nlooked in the store\n→ Run `slipway payload push`.\n" },
    { message: "update failed\n" },
  );
  expect(failure).toMatchObject({
    code: "E_PAYLOAD_MISSING",
    message: "nothing is published",
    details: ["looked in the store"],
    hint: "Run `slipway payload push`.",
  });
});

test("a failure that nothing explains shows what the CLI said", () => {
  expect(after("\x1b[31merror: \x1b[0mthe disk is full\nsecond line")).toMatchObject({
    code: "E_UPDATE_FAILED",
    message: "the disk is full",
    details: ["error: the disk is full", "second line"],
  });
});
