import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findServer } from "../../src/openstack/compute/servers.ts";
import { pointFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { ensureAttached } from "../../src/release/stack-address.ts";
import { PaperStack } from "../release/paper-stack.ts";

// P01: an association comes before the server is ACTIVE or its port is visible. Wait for both, try again by class, within limits.
let paper: PaperStack;
const faults = () => paper.test.cloud.faults;
const struck = () => faults().list()[0]?.firings.length;
const attach = () => ensureAttached(paper.session, paper.stack, { firstPauseMs: 20 });

describe("a server that runs", () => {
  beforeEach(async () => {
    paper = await PaperStack.create();
  });
  afterEach(() => paper.remove());

  it.each(["P01:port-visible-late", "P01:fip-400-until-active"])("gets its address through %s", async (fault) => {
    faults().arm(fault);
    expect(await attach()).toMatchObject({ how: "own", address: { port_id: paper.stack.portId, status: "ACTIVE" } });
    expect(struck()).toBe(3);
  });

  it("whoever asks once is refused", async () => {
    faults().arm("P01:fip-400-until-active");
    const once = pointFloatingIp(paper.session, paper.own.id, paper.stack.portId);
    await expect(once).rejects.toMatchObject({ status: 400 });
  });

  it("a refusal that does not pass ends in the cloud's own words, after five times, and leaves the addresses as they were", async () => {
    faults().arm("P01:fip-400-until-active", { times: 1000 });
    const before = await paper.addresses();
    await expect(attach()).rejects.toMatchObject({
      code: "E_FLOATING_IP",
      exitCode: 4,
      message: expect.stringMatching(/answered 400: .* no fixed IPv4 addresses/),
      requestId: expect.stringMatching(/^req-/),
    });
    expect(struck()).toBe(5);
    expect(await paper.addresses()).toEqual(before);
  });

  it("a port that stays invisible is gone, and is not waited for to the deadline", async () => {
    faults().arm("P01:port-visible-late", { times: 1000 });
    await expect(ensureAttached(paper.session, paper.stack, { invisibleMs: 200 })).rejects.toMatchObject({
      code: "E_FLOATING_IP",
      message: `port ${paper.stack.portId} is gone`,
    });
  });
});

it("a server that boots is waited for", async () => {
  paper = await PaperStack.create({ bootMs: 1000 });
  try {
    expect(await findServer(paper.session, paper.stack.serverId)).toMatchObject({ status: "BUILD" });
    expect(await attach()).toMatchObject({ address: { status: "ACTIVE" } });
    expect(await findServer(paper.session, paper.stack.serverId)).toMatchObject({ status: "ACTIVE" });
  } finally {
    await paper.remove();
  }
});

it("a server in ERROR is told at once, with Nova's fault", async () => {
  paper = await PaperStack.create();
  try {
    faults().arm("P12:no-valid-host");
    const broken = await paper.boot();
    await paper.test.cloud.idle();
    await expect(ensureAttached(paper.session, { ...paper.stack, ...broken })).rejects.toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringContaining("No valid host was found."),
    });
  } finally {
    await paper.remove();
  }
});
