import { describe, expect, it } from "vitest";
import { folderStore } from "../../src/release/folder-store.ts";
import { newHolder } from "../../src/release/lock-holder.ts";
import type { ObjectStore } from "../../src/release/object-store.ts";
import {
  beatSharedLock,
  breakSharedLock,
  DEAD_MS,
  findSharedLock,
  isAlive,
  releaseSharedLock,
  trySharedLock,
} from "../../src/release/shared-lock.ts";
import { withStackLock } from "../../src/release/stack-lock.ts";
import { swiftStore } from "../../src/release/swift-store.ts";
import { startTestCloud } from "../provider/test-cloud.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { MemoryStore } from "./memory-store.ts";

const container = "slipway-production";

async function placeIn<S extends ObjectStore>(store: S) {
  await store.ensurePublicContainer(container);
  return { store, container };
}

/** An operation on another machine that has the lock, for as long as it is not told to end. */
async function elsewhere(place: Awaited<ReturnType<typeof placeIn>>, command = "deploy production") {
  const holder = { ...newHolder(command), host: "far-away", who: "ada" };
  expect(await trySharedLock(place, holder, undefined)).toBeUndefined();
  return holder;
}

describe("the lock in a stack's store", () => {
  it("is seen by other machines, which are told who has it", async () => {
    const place = await placeIn(new MemoryStore());
    await elsewhere(place);
    await expect(withStackLock(temporaryFolder(), "up production", (lock) => lock.share(place))).rejects.toMatchObject({
      code: "E_LOCKED",
      message: expect.stringMatching(
        /`slipway deploy production` \(ada, pid \d+ on far-away, since \S+, last heard of 0 s ago\)/,
      ),
    });
    expect((await findSharedLock(place))?.holder).toMatchObject({ host: "far-away" });
  });

  it("is given back with the work, and waited for", async () => {
    const place = await placeIn(new MemoryStore());
    const holder = await elsewhere(place);
    const work = withStackLock(
      temporaryFolder(),
      "up production",
      async (lock) => {
        await lock.share(place);
        await lock.requireHeld();
        return (await findSharedLock(place))?.holder?.command;
      },
      { waitMs: 60_000, onWait: () => void releaseSharedLock(place, holder) },
    );
    expect(await work).toBe("up production");
    expect(await findSharedLock(place)).toBeUndefined();
  });

  it("of a holder that was not heard of for half a minute is broken, and not before", async () => {
    const place = await placeIn(new MemoryStore());
    await elsewhere(place);
    const next = newHolder("up production");
    place.store.aged.set("lock", DEAD_MS - 1);
    expect(await trySharedLock(place, next, undefined)).toMatchObject({ silentMs: DEAD_MS - 1 });
    place.store.aged.set("lock", DEAD_MS);
    expect(await trySharedLock(place, next, undefined)).toBeUndefined();
  });

  it("that a killed run of this machine left does not stand in the way", async () => {
    const [place, home] = [await placeIn(new MemoryStore()), temporaryFolder()];
    let left: Uint8Array | undefined;
    await withStackLock(home, "deploy production", async (lock) => {
      await lock.share(place);
      left = await place.store.get(container, "lock");
    });
    await place.store.put(container, "lock", left ?? ""); // as if it had been killed there
    await withStackLock(home, "deploy production", (lock) => lock.share(place));
    expect(await findSharedLock(place)).toBeUndefined();
  });

  it("that was broken is noticed before anything is published, and is not beaten back", async () => {
    const place = await placeIn(new MemoryStore());
    await withStackLock(temporaryFolder(), "deploy production", async (lock) => {
      await lock.share(place);
      const mine = (await findSharedLock(place))?.holder;
      await breakSharedLock(place);
      const thief = await elsewhere(place, "up production");
      await expect(lock.requireHeld()).rejects.toMatchObject({ code: "E_LOCKED" });
      if (mine === undefined) throw new Error("the lock was not there");
      expect(await beatSharedLock(place, mine)).toBe(false);
      expect((await findSharedLock(place))?.holder?.id).toBe(thief.id);
    });
    expect((await findSharedLock(place))?.holder).toMatchObject({ command: "up production" });
  });

  it("stays when a note lies there that nobody can read, until it is old", async () => {
    const place = await placeIn(new MemoryStore());
    await place.store.put(container, "lock", "{");
    const next = newHolder("up production");
    expect(await trySharedLock(place, next, undefined)).toMatchObject({ holder: undefined });
    place.store.aged.set("lock", DEAD_MS);
    expect(await trySharedLock(place, next, undefined)).toBeUndefined();
  });
});

describe.each([
  ["a folder", async () => ({ store: folderStore(temporaryFolder(), "file:///inbox"), end: async () => {} })],
  [
    "Swift",
    async () => {
      const cloud = await startTestCloud();
      return { store: swiftStore(cloud.session), end: () => cloud.stop() };
    },
  ],
])("the lock in %s", (_, open) => {
  it("is one of many's at once, beats, and goes", async () => {
    const { store, end } = await open();
    try {
      const place = await placeIn(store);
      const holders = Array.from({ length: 6 }, (_, index) => newHolder(`deploy ${index}`));
      const losers = await Promise.all(holders.map((holder) => trySharedLock(place, holder, undefined)));
      expect(losers.filter((found) => found === undefined)).toHaveLength(1);
      const winner = holders[losers.indexOf(undefined)];
      if (winner === undefined) throw new Error("nobody has it");
      const found = await findSharedLock(place);
      expect(found?.holder?.id).toBe(winner.id);
      expect(found !== undefined && isAlive(found)).toBe(true);
      expect(await beatSharedLock(place, winner)).toBe(true);
      expect((await findSharedLock(place))?.holder?.beat).not.toBe(winner.beat);
      await releaseSharedLock(place, winner);
      expect(await findSharedLock(place)).toBeUndefined();
    } finally {
      await end();
    }
  });
});
