import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { ServedProject } from "../ledger/served-project.ts";
import { SshHost } from "../remote/ssh-host.ts";

vi.setConfig({ testTimeout: 120_000 });

let served: ServedProject;
let host: SshHost;
/** What the host makes of a script, beside its paths. */
let rewrite = (command: string) => command;

/** The stack's host as far as SSH is concerned: its files lie in a folder of the project. */
beforeAll(async () => {
  served = await ServedProject.create();
  const { projectRoot } = served.project.slipway;
  const root = join(projectRoot, "host");
  const bin = join(projectRoot, "sudo-of-the-host");
  for (const folder of [join(root, "var/lib/slipway/models"), bin, join(projectRoot, ".ssh")])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(root, "var/lib/slipway/models/registry.json"), "{}");
  writeFileSync(join(bin, "sudo"), '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n', { mode: 0o755 });
  host = await SshHost.start({
    isEveryHost: true,
    rewrite: (command) => rewrite(command.replaceAll("/var/lib/slipway", `${root}/var/lib/slipway`)),
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  const [{ type, base64 } = { type: "", base64: "" }] = host.keys;
  writeFileSync(join(projectRoot, ".ssh/known_hosts"), `[127.0.0.1]:${host.port} ${type} ${base64}\n`);
  await served.project.addStack("production", { "slipway:sshJumpHost": `debian@127.0.0.1:${host.port}` });
});
afterAll(async () => {
  await host?.stop();
  await served?.remove();
});

it("`down --backup` that fails stops there, and the stack serves on; the next one fetches and removes", async () => {
  const { project } = served;
  const { result: up, stderr } = await project.run(["up"]);
  expect(up, stderr).toMatchObject({ ok: true });
  const [{ type, base64 } = { type: "", base64: "" }] = host.keys;
  writeFileSync(project.stackFile("production", "known_hosts"), `${up.hosts[0].id} ${type} ${base64}\n`);
  const before = await project.resourcesOf("production");
  const folder = join(project.slipway.projectRoot, "saved");

  rewrite = (command) => command.replace("tar -C", "no-such-tar -C");
  const failed = await project.run(["down", "--yes", "--backup", folder]);
  expect(failed.exitCode).toBe(4);
  expect(failed.result.error).toMatchObject({
    code: "E_BACKUP_FAILED",
    message: expect.stringContaining("no-such-tar"),
    hint: expect.stringContaining("--backup"),
  });
  expect(await project.resourcesOf("production")).toEqual(before);
  expect((await project.run(["check"])).result).toMatchObject({ ok: true, url: up.url });
  expect(readdirSync(folder)).toEqual([]);

  rewrite = (command) => command;
  const done = await project.run(["down", "--yes", "--backup", folder]);
  expect(done.result, done.stderr).toMatchObject({ ok: true, leftovers: [], backup: { files: 1, bytes: 2 } });
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^production-.*\.tar$/)]);
  expect(readFileSync(done.result.backup.file).length).toBeGreaterThan(1000);
  expect(await project.resourcesOf("production")).toEqual([]);
});
