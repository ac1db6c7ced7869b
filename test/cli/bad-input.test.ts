import { createHash } from "node:crypto";
import { access, appendFile, cp, readFile, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startCloud } from "../../src/cloud/cloud.ts";
import { withCloudEntries } from "../../src/cloud/clouds-yaml.ts";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import { logIn, postJson } from "../e2e/openstack-http.ts";
import type { Ended } from "../e2e/slipway.ts";
import { consoleOf, PaperProject, stackOf } from "./paper-project.ts";

// The real command line as a process, on a cloud whose guests are pretended. Each case has a stack of its own.
vi.setConfig({ testTimeout: 120_000 });

/** When a stack's pretended guest wrote the line that its bootstrap failed. */
const failedAt = new Map<string, number>();
/** The looks at a stack's console that showed it. */
const looks = new Map<string, number>();
let project: PaperProject;

/** Guests of the stacks `boot` and `gate` fail a second after they were looked at first; the others say nothing. */
function journal(spec: Parameters<typeof stackOf>[0]): string {
  const stack = stackOf(spec);
  const step = { boot: "queue", gate: "gate" }[stack];
  if (step === undefined) return "";
  const lines = [`${step} is broken`, "its last line"];
  const at = new Date().toISOString();
  const began = { type: "step", at, step, state: "start" } as const;
  const moment = failedAt.get(stack) ?? Date.now() + 1000;
  failedAt.set(stack, moment);
  if (Date.now() < moment) return consoleOf([began]);
  looks.set(stack, (looks.get(stack) ?? 0) + 1);
  return consoleOf([
    began,
    { type: "step", at, step, state: "end", code: 1, ms: 12, lines },
    { type: "verdict", at, sequence: 1, ok: false, failure: { step, reason: lines[0] ?? "", lines }, ms: 900 },
  ]);
}

beforeAll(async () => {
  project = await PaperProject.create(journal);
});
afterAll(() => project?.remove());

/** What every refusal has in common: code, exit code, one line that names the thing, what to do about it, and its page. */
function expectRefused(ended: Ended, exitCode: number, code: string, message: string | RegExp, hint: string | RegExp) {
  expect(ended.result, ended.stderr).toMatchObject({
    schemaVersion: 1,
    ok: false,
    error: {
      code,
      exitCode,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
      docs: `docs/errors/${code}.md`,
    },
  });
  expect(ended.exitCode).toBe(exitCode);
  expect(ended.result.error.message).not.toContain("\n");
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe.concurrent("the command line", () => {
  it.each([
    ["an unknown verb", ["launch"], /launch/],
    ["an unknown option", ["up", "--modle", "x"], /modle/],
    ["an option without its value", ["up", "--model"], /model/],
    ["text for a number", ["check", "--timeout", "soon"], /--timeout/],
    ["no verb", [], /verb/],
    ["a removal that nobody confirmed", ["down", "production"], /production must be confirmed/],
  ])("refuses %s", async (_what, args, message) => {
    expectRefused(await project.run(args), 2, "E_USAGE", message, /--help|--yes|--timeout/);
  });

  it("finds the verb behind options", async () => {
    const ended = await project.run(["--stack", "nosuch", "status"]);
    expectRefused(ended, 2, "E_STACK_UNKNOWN", /no stack nosuch/, /production/);
  });

  it("tells the stacks that there are", async () => {
    const ended = await project.run(["up", "produktion"]);
    expectRefused(ended, 2, "E_STACK_UNKNOWN", /no stack produktion/, /production/);
    expect(await exists(project.stackFile("produktion", "stack.json"))).toBe(false);
  });

  it.each([
    ["an unknown key", { "slipway:flavour": "m1.small" }, /slipway:flavour is not a setting; did you mean flavor\?/],
    ["a range that is none", { "slipway:sshCidr": "172.24.64.7/18" }, /slipway:sshCidr must be an IPv4 range/],
    ["a missing value", { "slipway:image": undefined }, /slipway:image is missing/],
  ])("refuses a configuration with %s", async (what, values, message) => {
    const stack = `config-${what.replaceAll(" ", "-")}`;
    await project.addStack(stack, values);
    expectRefused(await project.run(["up", stack]), 2, "E_CONFIG_INVALID", message, /stack's file/);
  });
});

describe.concurrent("credentials", () => {
  it("that are not there", async () => {
    const home = join(project.slipway.projectRoot, "no-cloud");
    const ended = await project.run(["up"], { env: { SLIPWAY_HOME: home } });
    expectRefused(ended, 3, "E_CREDENTIALS_MISSING", /no cloud slipway in clouds.yaml/, /slipway cloud start/);
  });

  it("with a wrong password", async () => {
    const { authUrl, credentials } = project.cloud;
    const wrong = { ...credentials, demo: { ...credentials.demo, password: "wrong" } };
    const file = join(project.slipway.projectRoot, "wrong.yaml");
    await writeFile(file, withCloudEntries(undefined, authUrl, wrong));
    await project.addStack("password");
    const ended = await project.run(["up", "password"], { env: { OS_CLIENT_CONFIG_FILE: file } });
    expectRefused(ended, 3, "E_AUTH_FAILED", /401|refused|authentication/i, /password/);
    expect(ended.result.error.requestId).toMatch(/^req-/);
    expect(await exists(project.stackFile("password", "stack.json"))).toBe(false);
    expect(await project.resourcesOf("password")).toEqual([]);
  });
});

describe.concurrent("a model", () => {
  const up = (stack: string, folder: string) => project.run(["up", stack, "--model", folder]);

  it("that does not exist", async () => {
    await project.addStack("model-gone");
    expectRefused(
      await up("model-gone", "models/nowhere"),
      2,
      "E_MODEL_INVALID",
      /models\/nowhere does not exist/,
      /folder/,
    );
    expect(await project.resourcesOf("model-gone")).toEqual([]);
  });

  it("without weights", async () => {
    await project.addStack("model-light");
    const folder = join(project.slipway.projectRoot, "models/light");
    await cp(join(project.slipway.projectRoot, "models/diabetes/production/model.json"), join(folder, "model.json"));
    expectRefused(await up("model-light", folder), 2, "E_MODEL_INVALID", /models\/light .*no weights/, /model\.h5/);
    expect(await project.resourcesOf("model-light")).toEqual([]);
  });

  it("whose description and weights do not fit", async () => {
    await project.addStack("model-torn");
    const folder = await project.copyModel("torn");
    const description = join(folder, "model.json");
    await writeFile(description, (await readFile(description, "utf8")).replace(/"units": ?12/, '"units": 10'));
    expectRefused(await up("model-torn", folder), 2, "E_MODEL_MISMATCH", /layer|dense/i, /same model/);
    expect(await project.resourcesOf("model-torn")).toEqual([]);
  });
});

describe.concurrent("a name in the cloud", () => {
  it("of an image that is not there: `up` makes nothing, another cloud is refused, `down` withdraws what was published", async () => {
    await project.addStack("image", { "slipway:image": "debain-13" });
    const ended = await project.run(["up", "image"]);
    expectRefused(ended, 3, "E_LOOKUP", /no image debain-13; the cloud has .*debian-13/, /image/);
    const [container, ...others] = await project.resourcesOf("image");
    expect(container).toMatch(/^container slipway-image/);
    expect(others).toEqual([]);

    await expectOtherCloudRefused("image");
    expect((await project.run(["down", "image", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("image")).toEqual([]);
  });

  it("that stands for nothing or for two things shows in a preview, all of them at once", async () => {
    const { headers, endpoint } = await logIn(project.slipway);
    const images = `${endpoint("image").replace(/\/$/, "")}/v2/images`;
    for (const content of ["one", "other"]) {
      const made = await postJson(images, { name: "twin", disk_format: "raw", container_format: "bare" }, headers);
      const { id } = (await made.json()) as { id: string };
      const type = { "content-type": "application/octet-stream" };
      await fetch(`${images}/${id}/file`, { method: "PUT", body: content, headers: { ...headers, ...type } });
    }
    const names = { image: "twin", flavor: "m1.smal", externalNetwork: "pubic" };
    await project.addStack("names", prefixed(names));
    const ended = await project.run(["preview", "names"]);
    expectRefused(ended, 3, "E_LOOKUP", /twin|m1\.smal|pubic/, /name of its own|configuration/);
    const { message, details } = ended.result.error;
    const told = [message, ...details].join("\n");
    expect(told).toContain("2 images are called twin: twin (");
    expect(told).toMatch(/no flavor m1\.smal; the cloud has .*m1\.small/);
    expect(told).toContain("no external network pubic; the cloud has public (");
    expect(await project.resourcesOf("names")).toEqual([]);
  });
});

/** Keys of the project's own namespace. */
function prefixed(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`slipway:${key}`, value]));
}

/** The stack is bound to its cloud since its first `up`: with the credentials of another one nothing is touched in either. */
async function expectOtherCloudRefused(stack: string): Promise<void> {
  const folder = join(project.slipway.projectRoot, "other");
  const other = await startCloud({ stateDir: join(folder, "cloud"), hypervisor: new FakeHypervisor() });
  try {
    const file = join(folder, "clouds.yaml");
    await writeFile(file, withCloudEntries(undefined, other.authUrl, other.credentials));
    for (const args of [
      ["up", stack],
      ["preview", stack],
      ["down", stack, "--yes"],
    ]) {
      const ended = await project.run(args, { env: { OS_CLIENT_CONFIG_FILE: file } });
      expectRefused(ended, 2, "E_CLOUD_MISMATCH", /lives in the project .* the credentials are for/, /--os-cloud/);
    }
  } finally {
    await other.close();
  }
}

describe("cloud-init templates", () => {
  const template = () => join(project.slipway.projectRoot, "cloud-init/worker.yaml.hbs");
  let whole: string;
  beforeAll(async () => {
    whole = await readFile(template(), "utf8");
    await project.addStack("template");
  });
  afterAll(() => writeFile(template(), whole));

  it("with a variable that nothing provides make no server", async () => {
    await appendFile(template(), '  - path: /etc/zone\n    content: "{{timezone}}"\n');
    const ended = await project.run(["up", "template"]);
    expectRefused(ended, 2, "E_TEMPLATE", /cloud-init\/worker\.yaml\.hbs: .*timezone/, /template/);
    expect((await project.resourcesOf("template")).filter((one) => !one.startsWith("container"))).toEqual([]);
  });

  it("that grow beyond Nova's limit make no server", async () => {
    // what a hash gives cannot be compressed below half of its hexadecimal text
    const digest = (index: number) => createHash("sha256").update(String(index)).digest("hex");
    const text = Array.from({ length: 2000 }, (_, index) => `      ${digest(index)}\n`).join("");
    await writeFile(template(), `${whole}  - path: /opt/large\n    content: |\n${text}`);
    const ended = await project.run(["preview", "template"]);
    expectRefused(ended, 2, "E_USERDATA_TOO_LARGE", /Nova accepts 65535/, /templates/);
    expect(ended.result.error.details[0]).toMatch(/worker\.yaml\.hbs/);
    expect((await project.resourcesOf("template")).filter((one) => !one.startsWith("container"))).toEqual([]);
  });
});

it("a port that is taken is refused before a cloud is made", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  const env = { SLIPWAY_HOME: join(project.slipway.projectRoot, "second-home") };
  const start = ["cloud", "start", "--hypervisor", "fake", "--port"];
  expectRefused(await project.run([...start, String(port)], { env }), 3, "E_PORT_IN_USE", String(port), /port/);
  expect((await project.run(["cloud", "status"], { env })).result).toMatchObject({ ok: true, running: false });
  expect(await exists(join(env.SLIPWAY_HOME, "clouds.yaml"))).toBe(false);
  expectRefused(await project.run([...start, "99999"], { env }), 2, "E_USAGE", "99999", /65535/);
  await new Promise((resolve) => taken.close(resolve));
});

describe.concurrent("a host that fails", () => {
  it("its bootstrap ends `up` with the step and its last lines, once they are seen; state and passphrase are guarded", async () => {
    await project.addStack("boot");
    const ended = await project.run(["up", "boot"]);
    expectRefused(ended, 5, "E_BOOTSTRAP_FAILED", "step queue: queue is broken", /slipway logs/);
    expect(ended.result.error.details).toContain("its last line");
    expect(looks.get("boot")).toBe(1);
    const made = await project.resourcesOf("boot");
    expect(made).toContain("servers/detail server-g1");

    const other = { PULUMI_CONFIG_PASSPHRASE: "another" };
    for (const args of [
      ["up", "boot"],
      ["preview", "boot"],
      ["down", "boot", "--yes"],
    ]) {
      const refused = await project.run(args, { env: other });
      expectRefused(refused, 2, "E_PASSPHRASE_WRONG", /passphrase/, /PULUMI_CONFIG_PASSPHRASE/);
    }
    const checkpoint = join(project.slipway.home, "state/.pulumi/stacks/slipway/boot.json");
    const whole = await readFile(checkpoint);
    await truncate(checkpoint, 1000);
    for (const args of [
      ["up", "boot"],
      ["status", "boot"],
      ["down", "boot", "--yes"],
    ]) {
      expectRefused(await project.run(args), 2, "E_STATE_DAMAGED", checkpoint, /boot\.json\.bak/);
    }
    expect(await project.resourcesOf("boot")).toEqual(made);
    await writeFile(checkpoint, whole);
    expect((await project.run(["down", "boot", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("boot")).toEqual([]);
  });

  it("its gate ends `up` with the gate's own code", async () => {
    await project.addStack("gate");
    const ended = await project.run(["up", "gate"]);
    expectRefused(ended, 6, "E_GATE_FAILED", "step gate: gate is broken", /slipway/);
    expect(ended.result.error.details).toContain("its last line");
    expect((await project.run(["down", "gate", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });
});

describe.concurrent("an `up` that is under way", () => {
  it("keeps others off, and gives its lock back at Ctrl-C", async () => {
    await project.addStack("busy");
    let second: Promise<Ended> | undefined;
    const ended = await project.run(["up", "busy"], {
      kill: {
        signal: "SIGINT",
        at: ({ phase, state }) => phase === "bootstrap" && state === "start",
        after: async () => {
          second ??= project.run(["up", "busy"], { ahead: true });
          await second;
        },
      },
    });
    const refused = (await second) as Ended;
    expectRefused(refused, 7, "E_LOCKED", /`slipway up busy` \(\S+, pid \d+ on .*\) works on this stack/, /Wait/);
    expectRefused(ended, 130, "E_INTERRUPTED", /SIGINT/, /again/);
    expect((await project.run(["down", "busy", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });

  it("finishes what it began at Ctrl-C, and knows it", async () => {
    await project.addStack("cut");
    const ended = await project.run(["up", "cut"], {
      kill: {
        signal: "SIGINT",
        at: ({ type, resource, state }) => type === "step" && resource === "Router" && state === "start",
      },
    });
    expectRefused(ended, 130, "E_INTERRUPTED", /interrupted/, /again/);
    expect((await project.run(["down", "cut", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("cut")).toEqual([]);
  });
});
