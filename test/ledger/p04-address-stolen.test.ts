import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deleteFloatingIp, findFloatingIp, pointFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { ensureAttached, findAttached } from "../../src/release/stack-address.ts";
import { PaperStack } from "../release/paper-stack.ts";

// P04: two runs take the same free address. Look after the association whose it is.
describe("an address that somebody else points elsewhere right after the association", () => {
  let paper: PaperStack;
  beforeEach(async () => {
    paper = await PaperStack.create();
  });
  afterEach(() => paper.remove());
  const attach = () => ensureAttached(paper.session, paper.stack);
  const steal = (times: number) => paper.test.cloud.faults.arm("P04", { times });

  it("whoever believes the association's answer has an address that leads elsewhere", async () => {
    steal(1);
    await pointFloatingIp(paper.session, paper.own.id, paper.stack.portId);
    expect((await findFloatingIp(paper.session, paper.own.id))?.port_id).not.toBe(paper.stack.portId);
    expect(await findAttached(paper.session, paper.stack)).toBeUndefined();
  });

  it("is the stack's own: it is taken back", async () => {
    steal(1);
    expect(await attach()).toMatchObject({ how: "own", address: { id: paper.own.id, port_id: paper.stack.portId } });
    expect(await findAttached(paper.session, paper.stack)).toMatchObject({ id: paper.own.id });
  });

  it("was free: it is left to them, untagged, and the next one is taken", async () => {
    const free = [await paper.allocate(), await paper.allocate()];
    await deleteFloatingIp(paper.session, paper.own.id);
    steal(1);
    const attached = await attach();
    expect(attached.how).toBe("reused");
    const lost = free.find(({ id }) => id !== attached.address.id);
    const theirs = await findFloatingIp(paper.session, lost?.id ?? "");
    expect(theirs).toMatchObject({ tags: [], port_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  it("each time: the run gives up after three, and keeps none", async () => {
    await deleteFloatingIp(paper.session, paper.own.id);
    steal(1000);
    await expect(attach()).rejects.toMatchObject({
      code: "E_FLOATING_IP",
      message: expect.stringMatching(/^others took 3 floating IPs away, [\d.]+ the last$/),
    });
    expect(paper.test.cloud.faults.list()[0]?.firings).toHaveLength(3);
    expect((await paper.addresses()).filter(({ tags }) => tags.length > 0)).toEqual([]);
  });
});
