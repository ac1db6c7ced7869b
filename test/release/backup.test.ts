import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { run } from "../../src/common/process.ts";
import { fetchBackup } from "../../src/release/backup.ts";
import { drainJobs } from "../../src/release/drain.ts";
import { connectSsh, type SshConnection } from "../../src/remote/connection.ts";
import { makeKeyPair } from "../../src/remote/key-pair.ts";
import { SshHost } from "../remote/ssh-host.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const login = makeKeyPair();
const never = new AbortController().signal;
let root: string;
let folder: string;
let host: SshHost;
let connection: SshConnection;
/** What happens to the scripts that the host runs, beside their paths. */
let rewrite: (command: string) => string;

beforeEach(async () => {
  root = temporaryFolder();
  folder = temporaryFolder();
  rewrite = (command) => command;
  const bin = temporaryFolder();
  writeFileSync(join(bin, "sudo"), '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n', { mode: 0o755 });
  host = await SshHost.start({
    rewrite: (command) => rewrite(command.replaceAll("/var/lib/slipway", `${root}/var/lib/slipway`)),
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  const { keys: hostKeys, port } = host;
  const identities = [{ key: login.private }];
  connection = await connectSsh({ host: "127.0.0.1", port, user: "debian", name: "server-g1", hostKeys, identities });
  for (const [path, text] of Object.entries(onHost)) {
    mkdirSync(join(root, "var/lib/slipway", path, ".."), { recursive: true });
    writeFileSync(join(root, "var/lib/slipway", path), text);
  }
});
afterEach(async () => {
  connection.close();
  await host.stop();
});

const onHost = {
  "models/registry.json": "{}",
  [`models/${"a".repeat(64)}/model.onnx`]: "w".repeat(3_000_000),
  "queue/appendonlydir/appendonly.aof.1.incr.aof": "*1\r\n$4\r\nPING\r\n",
  "spool/job 1.csv": "1,2\n",
  "release.json": "{}",
  "inbox/layers/1.tar.gz": "not kept",
};
const kept = Object.keys(onHost).filter((path) => !path.startsWith("inbox/"));
const file = () => join(folder, "below", "production.tar");

it("is a tar of models, jobs and release that unpacks to what the host has, and leaves nothing there", async () => {
  const bytes = kept.reduce((sum, path) => sum + (onHost[path as keyof typeof onHost]?.length ?? 0), 0);
  expect(await fetchBackup(connection, file(), never)).toEqual({ file: file(), files: kept.length, bytes });
  const unpacked = temporaryFolder();
  await run("tar", ["-xf", file(), "-C", unpacked]);
  await run("sha256sum", ["-c", "--quiet", "--strict", "SHA256SUMS"], { cwd: unpacked });
  for (const path of kept)
    expect(readFileSync(join(unpacked, path), "utf8") === onHost[path as keyof typeof onHost]).toBe(true);
  expect(readdirSync(join(root, "var/lib/slipway")).sort()).toEqual([
    "inbox",
    "models",
    "queue",
    "release.json",
    "spool",
  ]);
});

it("of a host without jobs is one of its models", async () => {
  await run("rm", ["-r", join(root, "var/lib/slipway/queue"), join(root, "var/lib/slipway/spool")]);
  expect(await fetchBackup(connection, file(), never)).toMatchObject({ files: 3 });
});

it.each<[string, (command: string) => string, RegExp]>([
  [
    "a file changed meanwhile",
    (text) => text.replace("tar -C", `echo more >> ${root}/var/lib/slipway/release.json; tar -C`),
    /release\.json changed on its way/,
  ],
  ["it arrived torn", (text) => (text.includes("tar -C") ? `${text} | head -c 1000000` : text), /./],
  ["the host has no tar", (text) => text.replace("tar -C", "no-such-tar -C"), /no-such-tar/],
])("is none where %s: nothing of it is left", async (_what, change, reason) => {
  rewrite = change;
  await expect(fetchBackup(connection, file(), never)).rejects.toMatchObject({
    code: "E_BACKUP_FAILED",
    exitCode: 4,
    message: expect.stringMatching(reason),
  });
  expect(readdirSync(join(folder, "below"))).toEqual([]);
  expect(readdirSync(join(root, "var/lib/slipway")).sort()).not.toContainEqual(expect.stringMatching(/^backup/));
});

it("is none where the folder cannot be made", async () => {
  await expect(fetchBackup(connection, "/dev/full/x.tar", never)).rejects.toMatchObject({ code: "E_BACKUP_FAILED" });
});

it("jobs are waited for inside the host, within bounds", async () => {
  let answers = [3, 1, 0];
  const live = (jobs: number) => JSON.stringify({ work: { queues: [{ waiting: jobs, active: 0 }] } });
  rewrite = () => `printf %s '${live(answers.length > 1 ? (answers.shift() ?? 0) : (answers[0] ?? 0))}'`;
  expect(await drainJobs(connection, { port: 5100, timeoutMs: 60_000, token: "t", signal: never })).toBe(0);
  expect(answers).toEqual([0]);
  answers = [2];
  expect(await drainJobs(connection, { port: 5100, timeoutMs: 1, token: undefined, signal: never })).toBe(2);
  rewrite = (command) => {
    expect(command).not.toContain("Bearer");
    return "echo '<html>'";
  };
  expect(await drainJobs(connection, { port: 5100, timeoutMs: 60_000, token: "t", signal: never })).toBeUndefined();
});
