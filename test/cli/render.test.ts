import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import type { GuestSpec } from "../../src/cloud/hypervisors/hypervisor.ts";
import { consoleOf, PaperProject } from "./paper-project.ts";

vi.setConfig({ testTimeout: 120_000 });

let project: PaperProject;
/** What the cloud was given for the guest that it has booted. */
let sent: string | undefined;

function console(spec: GuestSpec): string {
  sent = Buffer.from(spec.configDrive["openstack/latest/user_data"] ?? "").toString();
  const at = new Date().toISOString();
  const failure = { step: "queue", reason: "it ends here", lines: [] };
  return consoleOf([{ type: "verdict", at, sequence: 1, ok: false, failure, ms: 1 }]);
}

beforeAll(async () => {
  project = await PaperProject.create(console);
});
afterAll(() => project?.remove());

/** Neither a cloud's credentials nor anything that was made before. */
const nowhere = () => ({ SLIPWAY_HOME: join(project.slipway.projectRoot, "nothing") });
const render = (...args: string[]) => project.run(["render", "production", ...args], { env: nowhere() });

describe("`render` without a cloud", () => {
  it("shows a host's user-data, its sizes and checks, and says what is made up; it makes nothing", async () => {
    const { exitCode, result, stderr } = await render();
    expect(result, stderr).toMatchObject({ ok: true, stack: "production", placeholders: ["sourceUrl", "publicKey"] });
    expect(exitCode).toBe(0);
    const [host, ...others] = result.hosts;
    expect(others).toEqual([]);
    expect(host).toMatchObject({
      name: "server-g1",
      generation: "g1",
      roles: ["frontend", "queue", "runtime", "worker"],
      checks: {
        schema: { result: expect.stringMatching(/^(passed|skipped)$/) },
        secrets: { result: "passed" },
        size: { result: "passed" },
      },
    });
    const bytes = Buffer.from(host.userData);
    expect(host.sizes).toMatchObject({ raw: bytes.length, base64: bytes.toString("base64").length, limit: 65_535 });
    expect(host.sizes.gzipBase64).toBeLessThan(host.sizes.base64);
    const { write_files: files } = parse(host.userData) as { write_files: { path: string; content: string }[] };
    const identity = JSON.parse(files.find(({ path }) => path === "/etc/slipway/host.json")?.content ?? "{}");
    expect(identity).toMatchObject({ stack: "production", host: "server", generation: "g1" });
    expect(identity.sourceUrl).toMatch(/^https:\/\/placeholder\.invalid/);
    expect(identity.publicKey).toMatch(/^placeholder/);
    await expect(readdir(nowhere().SLIPWAY_HOME)).rejects.toThrow("ENOENT");
  });

  it("prints the document alone to stdout, and writes the same to a folder", async () => {
    const { hosts } = (await render("--host", "server")).result;
    const printed = await project.slipway.print(["render"], { env: nowhere() });
    expect(printed.stdout).toBe(hosts[0].userData);
    expect(printed.stderr).toMatch(
      /server-g1: \d+ bytes, \d+ as base64, .* Nova's limit is 65535\n.*schema .*secrets passed/,
    );
    expect(printed.stderr).toContain("made up, until `slipway up` decides them: sourceUrl, publicKey");

    const folder = join(project.slipway.projectRoot, "rendered");
    const { files } = (await render("--output", folder)).result;
    expect(files).toEqual([join(folder, "server-g1.user-data")]);
    expect(await readFile(files[0], "utf8")).toBe(hosts[0].userData);
  });

  it("names the hosts that there are", async () => {
    const { exitCode, result } = await render("--host", "worker-7");
    expect(result.error).toMatchObject({ code: "E_USAGE", hint: "Choose one of: server-g1." });
    expect(exitCode).toBe(2);
  });
});

describe("`render` of templates that are not right", () => {
  const template = () => join(project.slipway.projectRoot, "cloud-init/worker.yaml.hbs");
  let whole: string;
  beforeAll(async () => {
    whole = await readFile(template(), "utf8");
  });
  afterAll(() => writeFile(template(), whole));

  it.each([
    ["a secret", "E_USERDATA_SECRET", '  - path: /x\n    content: "password: hunter22"\n', /secret/],
    ["a contradiction", "E_TEMPLATE", "runcmd: 5\n", /runcmd/],
  ])("fails for %s with its code", async (_what, code, lines, message) => {
    await writeFile(template(), whole);
    await appendFile(template(), lines);
    const { exitCode, result } = await render();
    expect(result.error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(exitCode).toBe(2);
  });

  it("what only cloud-init's schema refuses is found, where the schema can be had", async () => {
    await writeFile(template(), `${whole}    owner: 7\n`);
    const { result } = await render();
    if (result.ok)
      expect(result.hosts[0].checks.schema).toMatchObject({ result: "skipped", reason: expect.any(String) });
    else
      expect(result.error).toMatchObject({
        code: "E_TEMPLATE",
        message: expect.stringMatching(/schema allows: .*owner/),
      });
  });

  it("what fits only as gzip is shown as it is and sent packed", async () => {
    await writeFile(template(), `${whole}  - path: /opt/large\n    content: ${"large ".repeat(12_000)}\n`);
    const { userData, sizes } = (await render()).result.hosts[0];
    expect(sizes.base64).toBeGreaterThan(sizes.limit);
    expect(userData).toHaveLength(sizes.gzipBase64);
    const document = gunzipSync(Buffer.from(userData, "base64")).toString();
    expect((await project.slipway.print(["render", "--quiet"], { env: nowhere() })).stdout).toBe(document);
  });
});

it("after a publication `render` gives what `up` sends, byte for byte; after `down` it keeps the key", async () => {
  expect((await project.run(["up", "production"])).result.error).toMatchObject({ code: "E_BOOTSTRAP_FAILED" });
  const published = (await project.run(["render", "production"])).result;
  expect(published).toMatchObject({ ok: true, placeholders: [] });
  expect(sent).toMatch(/^#cloud-config\n/);
  expect(published.hosts[0].userData).toBe(sent);

  expect((await project.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  const { placeholders, hosts } = (await project.run(["render", "production"])).result;
  expect(placeholders).toEqual(["sourceUrl"]);
  const keyOf = (text: string) => /publicKey\\?":\\?"([^"\\]+)/.exec(text)?.[1];
  expect(keyOf(hosts[0].userData)).toBe(keyOf(sent ?? ""));
  expect(keyOf(hosts[0].userData)).toMatch(/^MCow/);
});
