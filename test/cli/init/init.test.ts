import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { withCloudEntries } from "../../../src/cloud/clouds-yaml.ts";
import { Terminal, whyNoTerminal } from "../../support/terminal.ts";
import { PaperProject } from "../paper-project.ts";

vi.setConfig({ testTimeout: 120_000 });

let project: PaperProject;
beforeAll(async () => {
  project = await PaperProject.create();
});
afterAll(() => project?.remove());

const fileOf = (stack: string) => join(project.slipway.projectRoot, `stacks/Pulumi.${stack}.yaml`);
const init = (...args: string[]) => project.run(["init", ...args], { ahead: true });
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
const all = {
  image: "debian-13",
  flavor: "m1.medium",
  "external-network": "public",
  "ssh-cidr": "198.51.100.7/32",
  model: "models/diabetes/development",
};
const options = (given: Record<string, string>) =>
  Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);

describe("`init` by options", () => {
  it("writes a stack that the other verbs understand, and says what comes next", async () => {
    const { exitCode, result } = await init("by-options", "--os-cloud", "slipway", ...options(all));
    expect(result).toMatchObject({
      ok: true,
      stack: "by-options",
      file: fileOf("by-options"),
      next: "npx slipway up by-options",
    });
    expect(exitCode).toBe(0);
    const text = await readFile(fileOf("by-options"), "utf8");
    expect(
      text
        .split("\n")
        .filter((line) => !/^ *#/.test(line))
        .join("\n")
        .trim(),
    ).toBe(`config:
  openstack:cloud: slipway
  slipway:image: debian-13
  slipway:flavor: m1.medium
  slipway:externalNetwork: public
  slipway:sshCidr: 198.51.100.7/32
  slipway:model:
    name: development
    directory: models/diabetes/development`);
    expect(text).toContain("  # From where SSH is let in\n  slipway:sshCidr:");
    expect(text).toContain("These may be added: slipway:topology, ");
    expect((await project.run(["render", "by-options"])).result).toMatchObject({ ok: true, stack: "by-options" });
    // which names nothing that the cloud lacks: the preview comes as far as the publication
    expect((await project.run(["preview", "by-options"])).result.error).toMatchObject({ code: "E_PAYLOAD_MISSING" });
  });

  it("takes what is suggested with --yes, where the cloud is on this machine its own network for SSH", async () => {
    const { result } = await init("suggested", "--os-cloud", "slipway", "--yes");
    expect(result.config).toEqual({
      "openstack:cloud": "slipway",
      "slipway:image": "debian-13",
      "slipway:flavor": "m1.small",
      "slipway:externalNetwork": "public",
      "slipway:sshCidr": "172.24.64.0/24",
      "slipway:model": { name: "diabetes", directory: "models/diabetes/production" },
    });
  });

  it("says which options are missing, and what there is to choose from", async () => {
    const { exitCode, result } = await init(
      "missing",
      "--os-cloud",
      "slipway",
      "--image",
      "debian-13",
      "--model",
      all.model,
    );
    expect(result.error).toMatchObject({
      code: "E_USAGE",
      message: expect.stringMatching(/not given: --flavor, --external-network, --ssh-cidr$/),
      hint: expect.stringContaining("--yes"),
      details: ["--flavor: m1.small, m1.medium, m1.tiny", "--external-network: public", "--ssh-cidr: 172.24.64.0/24"],
    });
    expect(exitCode).toBe(2);
    expect((await init()).result.error).toMatchObject({ code: "E_USAGE", message: "the new stack has no name" });
    expect(await exists(fileOf("missing"))).toBe(false);
  });

  it.each([
    ["image", "debain-13", "E_LOOKUP", 3, /no image debain-13; it has debian-13/],
    ["flavor", "huge", "E_LOOKUP", 3, /no flavor huge; it has m1\.small, /],
    ["external-network", "pubic", "E_LOOKUP", 3, /no external network pubic; it has public/],
    ["ssh-cidr", "anywhere", "E_USAGE", 2, /--ssh-cidr: must be an IPv4 range/],
    ["model", "models/nowhere", "E_MODEL_INVALID", 2, /models\/nowhere does not exist/],
    ["model-name", "Not Good", "E_USAGE", 2, /--model-name: must be lower-case/],
  ])("refuses --%s %s", async (option, value, code, exitCode, message) => {
    const given = options({ ...all, [option]: value });
    const ended = await init("refused", "--os-cloud", "slipway", ...given);
    expect(ended.result.error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(ended.exitCode).toBe(exitCode);
    expect(await exists(fileOf("refused"))).toBe(false);
  });

  it("replaces a file only by --force, before it asks the cloud", async () => {
    const before = await readFile(fileOf("production"), "utf8");
    const { exitCode, result } = await init("production", "--os-cloud", "nosuch", "--yes");
    expect(result.error).toMatchObject({ code: "E_USAGE", hint: expect.stringContaining("--force") });
    expect(exitCode).toBe(2);
    expect(await readFile(fileOf("production"), "utf8")).toBe(before);
    await writeFile(fileOf("old"), before);
    expect((await init("old", "--os-cloud", "slipway", "--yes", "--force")).result).toMatchObject({ ok: true });
    expect(await readFile(fileOf("old"), "utf8")).toMatch(/^# Made by `slipway init`/);
  });

  it("opens SSH to everybody only when told to, and says so", async () => {
    const { lines, result } = await init(
      "open",
      "--os-cloud",
      "slipway",
      ...options({ ...all, "ssh-cidr": "0.0.0.0/0" }),
    );
    expect(result).toMatchObject({ ok: true, config: { "slipway:sshCidr": "0.0.0.0/0" } });
    expect(lines.filter(({ type }) => type === "note")).toMatchObject([{ text: expect.stringContaining("everybody") }]);
  });
});

describe("`init --pair`", () => {
  it("writes a stack whose hosts train beside the one that serves, and keeps what is there", async () => {
    const before = await readFile(fileOf("production"), "utf8");
    const { exitCode, result } = await init("--pair", "--os-cloud", "slipway", "--yes");
    expect(result).toMatchObject({
      ok: true,
      stacks: [
        { stack: "development", file: fileOf("development"), config: { "slipway:tokens": { trainer: "deploy" } } },
      ],
      next: "npx slipway up development production",
    });
    expect(exitCode).toBe(0);
    expect(await readFile(fileOf("production"), "utf8")).toBe(before);
    expect((await init("--pair", "--os-cloud", "slipway", "--yes")).result.error).toMatchObject({ code: "E_USAGE" });
    const both = await init("--pair", "--os-cloud", "slipway", "--yes", "--force");
    expect(both.result.stacks).toMatchObject([{ stack: "development" }, { stack: "production" }]);
    expect(both.result.stacks[1].config).not.toHaveProperty(["slipway:tokens"]);
    await writeFile(fileOf("production"), before);
  });

  it("names its stacks itself", async () => {
    const { exitCode, result } = await init("staging", "--pair", "--os-cloud", "slipway", "--yes");
    expect(result.error).toMatchObject({ code: "E_USAGE", message: expect.stringContaining("development") });
    expect(exitCode).toBe(2);
  });

  it("makes stacks that one command works on: each has a result, the first failure's code is the command's", async () => {
    const { exitCode, lines } = await project.run(["status", "nosuch", "development", "nosuch"]);
    expect(lines.filter(({ ok }) => ok !== undefined)).toMatchObject([
      { ok: false, stack: "nosuch", error: { code: "E_STACK_UNKNOWN", message: expect.stringContaining("no stack") } },
      {
        ok: false,
        stack: "development",
        error: { code: "E_STACK_UNKNOWN", message: expect.stringContaining("not up") },
      },
    ]);
    expect(exitCode).toBe(2);
  });
});

describe("`init` without a cloud", () => {
  it("names the cloud that it does not know", async () => {
    const { exitCode, result } = await init("nowhere", "--os-cloud", "nosuch", "--yes");
    expect(result.error).toMatchObject({ code: "E_CREDENTIALS_MISSING", message: expect.stringContaining("nosuch") });
    expect(exitCode).toBe(3);
  });

  it("passes on that the credentials are refused", async () => {
    const { authUrl, credentials } = project.cloud;
    const wrong = { ...credentials, demo: { ...credentials.demo, password: "wrong" } };
    const folder = join(project.slipway.projectRoot, "wrong");
    await mkdir(folder);
    await writeFile(join(folder, "clouds.yaml"), withCloudEntries(undefined, authUrl, wrong));
    const env = { OS_CLIENT_CONFIG_FILE: join(folder, "clouds.yaml") };
    const { exitCode, result } = await project.run(["init", "wrong", "--os-cloud", "slipway", "--yes"], { env });
    expect(result.error).toMatchObject({ code: "E_AUTH_FAILED", requestId: expect.stringMatching(/^req-/) });
    expect(exitCode).toBe(3);
    expect(await exists(fileOf("wrong"))).toBe(false);
  });
});

describe.skipIf(whyNoTerminal !== undefined)("`init` on a terminal", () => {
  function open(...args: string[]): Terminal {
    const { projectRoot, home } = project.slipway;
    const command = [process.execPath, join(projectRoot, "src/cli/main.ts"), "init", "--os-cloud", "slipway", ...args];
    return Terminal.open(command, { cwd: projectRoot, env: { ...process.env, SLIPWAY_HOME: home } });
  }
  const [enter, down, backspace, controlC] = ["\r", "\x1b[B", "\x7f", "\x03"];

  it("asks for what was not given, refuses an answer that is wrong, and writes the file", async () => {
    const terminal = open("--external-network", "public");
    await terminal.shows("called?");
    terminal.type(`asked${enter}`);
    await terminal.shows("boot from?");
    terminal.type(enter);
    await terminal.shows("How large");
    await terminal.shows("4 GiB memory");
    terminal.type(down + enter);
    await terminal.shows(/SSH let in\? .*suggested: the external network/);
    terminal.type(`${backspace.repeat(2)}99${enter}`);
    await terminal.shows("must be an IPv4 range");
    terminal.type(`${backspace.repeat(2)}24${enter}`);
    await terminal.shows("Where is the model?");
    terminal.type(enter);
    await terminal.shows("What is it called?");
    terminal.type(enter);
    await terminal.shows("Next: npx slipway up asked");
    expect(await terminal.ended()).toBe(0);
    const text = await readFile(fileOf("asked"), "utf8");
    expect(text).toMatch(/flavor: m1\.medium\n.*\n.*externalNetwork: public\n.*\n.*sshCidr: 172\.24\.64\.0\/24\n/);
  });

  it("leaves nothing at Ctrl-C", async () => {
    const terminal = open("cut");
    await terminal.shows("boot from?");
    terminal.type(enter);
    await terminal.shows("How large");
    terminal.type(controlC);
    await terminal.shows("E_INTERRUPTED: interrupted: nothing is written");
    expect(await terminal.ended()).toBe(130);
    expect(await exists(fileOf("cut"))).toBe(false);
  });
});
