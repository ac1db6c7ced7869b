import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../../src/common/process.ts";
import { deploy } from "../../src/guest/agent.ts";
import { converge } from "../../src/guest/converge.ts";
import { followPush } from "../../src/guest/git/follow-push.ts";
import { pushedRefs, refusalOf } from "../../src/guest/git/pushed-refs.ts";
import { releasePush } from "../../src/guest/git/release-push.ts";
import { handOver, type PushRequest, takePush, withdraw } from "../../src/guest/git/spool.ts";
import { authorizedKeys, receiveScript } from "../../src/guest/git/texts.ts";
import type { Manifest } from "../../src/guest/manifest.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import type { ReleaseRecord } from "../../src/guest/release-record.ts";
import { readReleaseHistory } from "../../src/guest/releasing/history.ts";
import { payloadServices } from "../../src/guest/unit-names.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fakeHost } from "./fake-host.ts";

const ZERO = "0".repeat(40);
const [A, B] = ["a".repeat(40), "b".repeat(40)];

describe("what git tells of a push", () => {
  it("is let through where it moves the branch and nothing else", () => {
    expect(refusalOf(pushedRefs(`${ZERO} ${A} refs/heads/main\n`), "main")).toBeUndefined();
    expect(refusalOf(pushedRefs(`${B} ${A} refs/heads/models/risk\n`), "models/risk")).toBeUndefined();
  });

  it.each([
    [`${ZERO} ${A} refs/heads/master\n`, /^the branch master is not released here: main alone is$/],
    [`${ZERO} ${A} refs/heads/main\n${ZERO} ${B} refs/tags/v1\n`, /^the reference refs\/tags\/v1 is not released/],
    [`${A} ${ZERO} refs/heads/main\n`, /^main cannot be deleted/],
  ])("is refused otherwise, with what to do", (text, reason) => {
    const refusal = refusalOf(pushedRefs(text), "main");
    expect(refusal?.[0]).toMatch(reason);
    expect(refusal).toHaveLength(2);
  });
});

describe("a deploy key", () => {
  it("leads to one command, whatever its comment says", () => {
    const [line, other] = authorizedKeys(
      ["ssh-ed25519 AAAA ada@laptop", `ssh-rsa BBBB x' "; rm -rf / #$(id)`],
      "/var/lib/slipway/git/receive",
    ).split("\n");
    expect(line).toBe(`restrict,command="/var/lib/slipway/git/receive 'ada@laptop'" ssh-ed25519 AAAA`);
    expect(other).toBe(`restrict,command="/var/lib/slipway/git/receive 'x_ __ rm -rf _ ___id_'" ssh-rsa BBBB`);
  });

  it("runs git-receive-pack in the one repository, and nothing else", async () => {
    const folder = temporaryFolder();
    const paths = guestPaths(folder).git;
    mkdirSync(paths.spool, { recursive: true });
    await run("git", ["init", "-q", "--bare", paths.repository]);
    writeFileSync(join(folder, "receive"), receiveScript(paths, "production"));
    const ask = (command: string | undefined) =>
      run("sh", [join(folder, "receive"), "ada"], {
        input: "0000",
        env: { PATH: process.env.PATH, ...(command !== undefined && { SSH_ORIGINAL_COMMAND: command }) },
      });
    for (const command of [undefined, "", "id", "git-upload-pack 'model.git'", "git-receive-packer x"]) {
      await expect(ask(command)).rejects.toMatchObject({
        exitCode: 1,
        stdout: "",
        stderr: expect.stringContaining("pushes models to production with git, and does nothing else"),
      });
    }
    // another path and what a shell would make of it lead to the same repository
    expect((await ask("git-receive-pack '/etc'; touch pwned")).stdout).toMatch(/^[0-9a-f]{4}0{40} capabilities\^/);
    expect(existsSync("pwned")).toBe(false);
  });
});

const request = (digest: PushRequest["digest"], commit = A): PushRequest => ({
  ...{ schemaVersion: 1, branch: "main", commit, digest, by: "ada@laptop" },
  at: "2026-01-01T00:00:00.000Z",
});
const id = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

describe("the spool", () => {
  it("hands a request over whole, once, or gives it back", async () => {
    const paths = guestPaths(temporaryFolder());
    mkdirSync(paths.git.spool, { recursive: true });
    await handOver(paths, id(1), request(`sha256:${"1".repeat(64)}`), Buffer.from("tar"));
    expect(statSync(join(paths.git.spool, id(1))).mode & 0o777).toBe(0o700);
    const taken = await takePush(paths);
    expect(taken).toMatchObject({ id: id(1), request: { by: "ada@laptop" } });
    expect((await taken?.package())?.toString()).toBe("tar");
    expect(await withdraw(paths, id(1))).toBe(false);
    expect(await takePush(paths)).toBeUndefined();
    await taken?.forget();
    expect(readdirSync(paths.pushes)).toEqual([]);
    await handOver(paths, id(2), request(`sha256:${"1".repeat(64)}`), Buffer.from("tar"));
    expect(await withdraw(paths, id(2))).toBe(true);
    expect(await takePush(paths)).toBeUndefined();
  });

  it("follows nothing that leads elsewhere, and goes on with the next", async () => {
    const paths = guestPaths(temporaryFolder());
    const { spool } = paths.git;
    mkdirSync(spool, { recursive: true });
    const secret = join(temporaryFolder(), "secret");
    mkdirSync(secret, { recursive: true });
    writeFileSync(join(secret, "request.json"), JSON.stringify(request(`sha256:${"1".repeat(64)}`)));
    writeFileSync(join(secret, "model.tar"), "secret");
    symlinkSync(secret, join(spool, id(1)));
    mkdirSync(join(spool, id(2)));
    symlinkSync(join(secret, "request.json"), join(spool, id(2), "request.json"));
    await handOver(paths, id(3), request(`sha256:${"2".repeat(64)}`), Buffer.from("tar"));
    await run("ln", ["-sf", join(secret, "model.tar"), join(spool, id(3), "model.tar")]);
    const taken = await takePush(paths);
    expect(taken?.id).toBe(id(3));
    await expect(taken?.package()).rejects.toThrow(/ELOOP/);
    expect(readFileSync(join(secret, "model.tar"), "utf8")).toBe("secret");
  });
});

/** A host that serves its first release, to which models can be pushed. */
async function servingHost() {
  const fake = await fakeHost();
  const manifest = await fake.release(1, { output: 0.25 });
  await converge(fake.host, manifest, { restart: payloadServices });
  mkdirSync(fake.paths.git.spool, { recursive: true });
  let pushes = 0;
  /** Pushes a model's package; answers what the host remembers then, and what the hook is told. */
  const push = async (record: Omit<ReleaseRecord, "schemaVersion">, model: Manifest, claimed = digestOf(model)) => {
    const bytes = fake.files.get(model.models[0]?.path ?? "") as Uint8Array;
    pushes += 1;
    await handOver(fake.paths, id(pushes), request(claimed), bytes);
    const taken = await takePush(fake.paths);
    if (taken === undefined) throw new Error("nothing was handed over");
    const next = await releasePush(fake.host, record, taken);
    const report = await followPush(fake.paths, { id: id(pushes), timeoutMs: 0, onProgress: () => undefined });
    return { record: next, report };
  };
  const publish = (record: Omit<ReleaseRecord, "schemaVersion">, next: Manifest) =>
    deploy(fake.host, record, { manifest: next, document: fake.seal(next) });
  return { ...fake, first: { sequence: 1, manifest }, push, publish };
}

const digestOf = ({ models }: Manifest) => models[0]?.digest as PushRequest["digest"];
/** What only tells who releases, and why. */
const restored = (manifest: Manifest, sequence: number): Manifest => ({
  ...manifest,
  sequence,
  origin: { kind: "restore", by: "ada", at: "2026-01-01T00:00:00.000Z" },
});

describe("a push", () => {
  it("becomes a release upon the signed one, which a signed one with a higher sequence replaces", async () => {
    const { first, push, publish, release, served, paths } = await servingHost();
    const model = await release(7, { output: 0.75 });
    const { record, report } = await push(first, model);
    expect(report).toMatchObject({
      ...{ sequence: 1, result: "passed", phase: "settle", model: { name: "m", version: "1.1" } },
      origin: { kind: "push", by: "ada@laptop" },
      push: { number: 1, branch: "main", commit: A, request: id(1) },
    });
    expect(record).toMatchObject({ sequence: 1, base: first.manifest, manifest: { push: { number: 1 } } });
    expect(await served()).toMatchObject({ model: digestOf(model), output: 0.75 });

    const again = await push(record, await release(8, { output: 0.5 }));
    expect(again.report).toMatchObject({ result: "passed", push: { number: 2 }, model: { version: "1.2" } });
    expect(again.record.base).toEqual(first.manifest);

    const signed = await release(2, { output: 0.25, width: 1 });
    const after = await publish(again.record, signed);
    expect(after).toEqual({ sequence: 2, manifest: signed });
    expect(await served()).toMatchObject({ output: 0.25 });
    const history = await readReleaseHistory(paths);
    expect(history.map(({ sequence, push }) => [sequence, push?.number])).toEqual([
      [1, 1],
      [1, 2],
      [2, undefined],
    ]);
  });

  it("that fails its gate leaves what served, and nothing of itself", async () => {
    const { first, push, release, served } = await servingHost();
    const bad = await push(first, await release(7, { output: 0.75, golden: 0.5 }));
    expect(bad.report).toMatchObject({
      result: "kept",
      failure: { phase: "gate", reason: expect.stringContaining("golden question") },
    });
    expect(bad.record).toMatchObject({ sequence: 1, manifest: first.manifest });
    expect(await served()).toMatchObject({ model: digestOf(first.manifest), output: 0.25 });
  });

  it("that is not what its digest says is no release", async () => {
    const { first, push, release, served } = await servingHost();
    const other = await push(first, await release(7, { output: 0.75 }), `sha256:${"9".repeat(64)}`);
    expect(other.report).toMatchObject({ result: "kept", failure: { phase: "fetch" } });
    expect(other.report?.failure?.reason).toContain("has the digest");
    expect(other.record).toBe(first);
    expect(await served()).toMatchObject({ output: 0.25 });
  });

  it("goes on serving where a signed release upon it fails and the one under it is published again", async () => {
    const { first, push, publish, release, served } = await servingHost();
    const model = await release(7, { output: 0.75 });
    const { record } = await push(first, model);
    const failed = await publish(record, await release(2, { output: 0.5, golden: 0.1 }));
    expect(failed).toMatchObject({ sequence: 2, manifest: { push: { number: 1 } }, base: first.manifest });
    expect(await served()).toMatchObject({ output: 0.75 });
    const held = await publish(failed, restored(first.manifest, 3));
    expect(held).toMatchObject({ sequence: 3, manifest: { sequence: 3, push: { number: 1 } }, base: { sequence: 3 } });
    expect(await served()).toMatchObject({ model: digestOf(model), output: 0.75 });
    // one that brings something else does not pass for it
    const replaced = await publish(held, restored(await release(8, { output: 0.5 }), 4));
    expect(replaced.manifest.push).toBeUndefined();
    expect(await served()).toMatchObject({ output: 0.5 });
  });
});
