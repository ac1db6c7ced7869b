import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteFloatingIp, pointFloatingIp, setFloatingIpTags } from "../../src/openstack/network/floating-ips.ts";
import { ensureAttached, ensureDetached, findAttached } from "../../src/release/stack-address.ts";
import { PaperStack } from "./paper-stack.ts";

let paper: PaperStack;
beforeEach(async () => {
  paper = await PaperStack.create();
});
afterEach(() => paper.remove());

const attach = (options?: Parameters<typeof ensureAttached>[2]) => ensureAttached(paper.session, paper.stack, options);
const deleteOwn = () => deleteFloatingIp(paper.session, paper.own.id);

describe("which address a stack gets", () => {
  test("its own, though others are free; a second time nothing changes; detached it stays with the stack", async () => {
    const free = await paper.allocate();
    const { session, stack, own } = paper;
    expect(await attach()).toMatchObject({
      how: "own",
      address: { id: own.id, port_id: stack.portId, status: "ACTIVE" },
    });
    const before = await paper.addresses();
    expect(await attach()).toMatchObject({ how: "own" });
    expect(await paper.addresses()).toEqual(before);
    expect(await findAttached(session, stack)).toMatchObject({ id: own.id });

    expect((await ensureDetached(session, stack)).map(({ id }) => id)).toEqual([own.id]);
    expect(await findAttached(session, stack)).toBeUndefined();
    expect(await ensureDetached(session, stack)).toEqual([]);
    expect(await paper.addresses()).toEqual([
      { address: own.floating_ip_address, port: null, tags: [stack.tag], description: `${stack.tag} address` },
      { address: free.floating_ip_address, port: null, tags: [], description: "" },
    ]);
  });

  test("a free one of the project where its own was deleted: taken once, kept by the next run, free again when detached", async () => {
    const taken = await paper.allocate({ description: "of another team", tags: ["database"] });
    const free = await paper.allocate({ description: "left from a test" });
    await deleteOwn();
    const before = await paper.addresses();

    expect(await attach()).toMatchObject({ how: "reused", address: { id: free.id, tags: [paper.stack.tag] } });
    expect(await attach()).toMatchObject({ how: "kept", address: { id: free.id } });
    expect((await paper.addresses()).map(({ tags }) => tags)).toEqual([["database"], [paper.stack.tag]]);
    await ensureDetached(paper.session, paper.stack);
    expect(await paper.addresses()).toEqual(before);
    expect(taken.port_id).toBeNull();
  });

  test("a new one where none is free, or none may be used; gone when detached", async () => {
    const other = await paper.boot();
    const busy = await paper.allocate();
    await expect.poll(() => pointFloatingIp(paper.session, busy.id, other.portId).then(() => true)).toBe(true);
    await deleteOwn();
    const before = await paper.addresses();
    expect(await attach()).toMatchObject({ how: "allocated", address: { tags: [paper.stack.tag] } });
    await ensureDetached(paper.session, paper.stack);
    expect(await paper.addresses()).toEqual(before);

    await paper.allocate();
    expect(await attach({ reuse: false })).toMatchObject({ how: "allocated" });
  });

  test("one that an earlier run allocated and was killed over, before it could tag it", async () => {
    const cut = await paper.allocate({ description: `${paper.stack.tag} stand-in` });
    await paper.allocate();
    await deleteOwn();
    expect(await attach()).toMatchObject({ how: "kept", address: { id: cut.id, tags: [paper.stack.tag] } });
  });

  test("never one with another purpose, though it has the stack's tag", async () => {
    const tags = ["slipway:maintenance", paper.stack.tag];
    const maintenance = await paper.allocate({ tags });
    await deleteOwn();
    expect(await attach()).toMatchObject({ how: "allocated" });
    await ensureDetached(paper.session, paper.stack);
    expect(await paper.addresses()).toEqual([
      { address: maintenance.floating_ip_address, port: null, tags, description: "" },
    ]);
  });

  test("what leads to its host already, though its own has come back meanwhile", async () => {
    const standIn = await paper.allocate({ tags: [paper.stack.tag] });
    await pointFloatingIp(paper.session, standIn.id, paper.stack.portId);
    expect(await attach()).toMatchObject({ how: "kept", address: { id: standIn.id } });
  });

  test("an address of somebody else on the host's port is left there and named", async () => {
    const theirs = await paper.allocate({ tags: ["theirs"] });
    await pointFloatingIp(paper.session, theirs.id, paper.stack.portId);
    const before = await paper.addresses();
    await expect(attach()).rejects.toMatchObject({
      code: "E_FLOATING_IP",
      message: expect.stringContaining(`has the floating IP ${theirs.floating_ip_address} already`),
      hint: expect.stringContaining(`openstack floating ip unset --port ${theirs.floating_ip_address}`),
      requestId: expect.stringMatching(/^req-/),
    });
    expect(await findAttached(paper.session, paper.stack)).toBeUndefined();
    expect(await paper.addresses()).toEqual(before);
  });
});

describe("what a run took", () => {
  test("is given back when nothing serves behind it; where it led before is where it leads again", async () => {
    const old = await paper.boot();
    await ensureAttached(paper.session, { ...paper.stack, ...old });
    const before = await paper.addresses();
    const { giveBack } = await attach();
    expect((await paper.addresses())[0]?.port).toBe(paper.stack.portId);
    await giveBack();
    expect((await paper.addresses())[0]?.port).toBe(old.portId);
    expect(await paper.addresses()).toEqual(before);
  });

  test.each(["reused", "allocated"])("is given back when it was %s", async (how) => {
    if (how === "reused") await paper.allocate();
    await deleteOwn();
    const before = await paper.addresses();
    const attached = await attach();
    expect(attached.how).toBe(how);
    await attached.giveBack();
    await attached.giveBack();
    expect(await paper.addresses()).toEqual(before);
  });

  test("stays where somebody else has it by now", async () => {
    await deleteOwn();
    const { address, giveBack } = await attach();
    const other = await paper.boot();
    await paper.test.cloud.idle();
    await pointFloatingIp(paper.session, address.id, other.portId);
    await giveBack();
    const theirs = { address: address.floating_ip_address, port: other.portId, tags: [], description: "" };
    expect(await paper.addresses()).toEqual([theirs]);
    // nor does a later run take it for the stack's
    expect(await ensureDetached(paper.session, paper.stack)).toEqual([]);
    expect(await paper.addresses()).toEqual([theirs]);
  });

  test.each(["reused", "allocated"])("and somebody has pointed elsewhere is theirs when it was %s", async (how) => {
    if (how === "reused") await paper.allocate();
    await deleteOwn();
    const { address } = await attach();
    const other = await paper.boot();
    await paper.test.cloud.idle();
    await pointFloatingIp(paper.session, address.id, other.portId);
    const another = await attach();
    expect(another).toMatchObject({ how: "allocated" });
    expect(another.address.id).not.toBe(address.id);
    expect((await ensureDetached(paper.session, paper.stack)).map(({ id }) => id)).toEqual([another.address.id]);
    expect(await paper.addresses()).toEqual([
      { address: address.floating_ip_address, port: other.portId, tags: [], description: "" },
    ]);
  });
});

test("two stacks that see the same free address do not both keep it", async () => {
  await paper.allocate();
  await deleteOwn();
  const host = await paper.boot();
  const other = { ...paper.stack, ...host, tag: "slipway:test/development" };
  const attached = await Promise.all([attach(), ensureAttached(paper.session, other)]);
  const [one, two] = attached.map(({ address }) => address);
  expect(one?.id).not.toBe(two?.id);
  expect(await findAttached(paper.session, paper.stack)).toMatchObject({ id: one?.id, tags: [paper.stack.tag] });
  expect(await findAttached(paper.session, other)).toMatchObject({ id: two?.id, tags: [other.tag] });
});

test("an address whose tag somebody removed is not taken for the stack's", async () => {
  const { address } = await attach();
  await deleteOwn();
  const lost = await paper.allocate({ tags: [paper.stack.tag] });
  await setFloatingIpTags(paper.session, lost.id, []);
  await ensureDetached(paper.session, paper.stack);
  expect(address.id).not.toBe(lost.id);
  expect(await paper.addresses()).toMatchObject([{ address: lost.floating_ip_address, tags: [] }]);
});
