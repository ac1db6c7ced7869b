import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SlipwayError } from "../../src/common/errors.ts";
import { createEmbeddedEngine } from "../../src/engine/embedded/embedded-engine.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";
import { startTestCloud, type TestCloud } from "../provider/test-cloud.ts";
import { type CloudProxy, startCloudProxy } from "../support/cloud-proxy.ts";
import { type Declaration, declare, program } from "./support/declared.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

// What cannot be worked with ends in a clear error, before anything is asked of the cloud, and leaves the state byte for byte.

let bench: Workbench;

/** The failure of an operation that must leave everything as it was. */
async function refusal(operation: () => Promise<unknown>): Promise<SlipwayError> {
  const before = await readFile(bench.checkpointPath);
  bench.cloud.calls.length = 0;
  const failure = await failureOf(operation());
  expect((await readFile(bench.checkpointPath)).equals(before)).toBe(true);
  expect(bench.cloud.calls).toEqual([]);
  expect(await bench.locks()).toEqual([]);
  return failure;
}

const net = declare("Network", "net", { name: "net" });
const sub = declare("Subnet", "sub", { name: "sub", cidr: "c", networkId: "<net.id>" });

describe("a checkpoint that is none of ours", () => {
  beforeEach(async () => {
    bench = await Workbench.of("declared");
    await bench.up(program([net, sub]));
  });
  afterEach(() => bench.dispose());

  const otherKeeper = `"secrets_providers":{"type":"cloud","state":{"url":"vault://key"}}`;
  const cases: [what: string, forged: (text: string) => string, code: string, message: RegExp, hint: RegExp][] = [
    ["torn", (text) => text.slice(0, -10), "E_STATE_DAMAGED", /it is not JSON/, /Restore it from .*\.bak/],
    ["empty", () => "", "E_STATE_DAMAGED", /it is not JSON/, /\.bak/],
    ["of another kind", () => `{"version":3,"terraform_version":"1.9"}`, "E_STATE_DAMAGED", /checkpoint: /, /\.bak/],
    [
      "of another stack",
      (text) => text.replaceAll("urn:pulumi:dev::", "urn:pulumi:prod::"),
      "E_STATE_DAMAGED",
      /another stack, prod::declared/,
      /\.bak/,
    ],
    [
      "in a wrong order",
      (text) => {
        const file = JSON.parse(text);
        file.checkpoint.latest.resources.reverse();
        return JSON.stringify(file);
      },
      "E_STATE_DAMAGED",
      /cannot be used/,
      /\.bak/,
    ],
    ["newer", (text) => text.replace('"version":3', '"version":4'), "E_UNSUPPORTED", /version 4/, /official engine/],
    [
      "with features that nobody knows",
      (text) => text.replace('"version":3', '"version":3,"features":["taint"]'),
      "E_UNSUPPORTED",
      /version 3 with taint/,
      /official engine/,
    ],
    [
      "whose secrets another keeps",
      (text) => text.replace(/"secrets_providers":\{.*?\}\}/, otherKeeper),
      "E_UNSUPPORTED",
      /kept by cloud/,
      /passphrase/,
    ],
  ];
  it.each(cases)("%s", async (_, forged, code, message, hint) => {
    const text = await readFile(bench.checkpointPath, "utf8");
    const other = forged(text);
    expect(other).not.toBe(text);
    await writeFile(bench.checkpointPath, other);
    for (const operation of [
      () => bench.up(program([net])),
      () => bench.preview(program([net])),
      () => bench.destroy(),
      () => bench.refresh(),
      () => bench.engine.verify(bench.stack),
    ]) {
      expect(await refusal(operation)).toMatchObject({
        code,
        exitCode: 2,
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      });
    }
  });

  it("or whose passphrase is another", async () => {
    const stranger = { ...bench.with(program([net])), passphrase: "open barley" };
    for (const verb of ["up", "preview", "destroy", "refresh", "verify"] as const) {
      expect(await refusal(() => bench.engine[verb](stranger))).toMatchObject({
        code: "E_PASSPHRASE_WRONG",
        exitCode: 2,
        message: expect.stringContaining("passphrase"),
        hint: expect.stringContaining("PULUMI_CONFIG_PASSPHRASE"),
      });
    }
  });
});

describe("a program that cannot be run to its end", () => {
  beforeEach(async () => {
    bench = await Workbench.of("declared");
    await bench.up(program([net, sub]));
  });
  afterEach(() => bench.dispose());

  it("because it throws", async () => {
    const failure = await refusal(() => bench.up(program([net, sub], { of: "<nobody.id>" })));
    expect(failure).toMatchObject({ code: "E_PROGRAM_FAILED", message: expect.stringMatching(/^TypeError: .*'id'/) });
    expect(failure.details.join("\n")).toContain("index.ts");
  });

  it("because its text cannot be read as configuration", async () => {
    expect(await refusal(() => bench.up({ "declared:program": "[{" }))).toMatchObject({ code: "E_PROGRAM_FAILED" });
  });

  it("because two resources depend on each other", async () => {
    const a = declare("Network", "a", { name: "a" }, { dependsOn: "b" });
    const b = declare("Network", "b", { name: "b" }, { dependsOn: ["a"] });
    const failure = await refusal(() => bench.up(program([net, sub, a, b])));
    expect(failure).toMatchObject({
      code: "E_PROGRAM_FAILED",
      message: "the program ended while resources were waiting: a, b",
      hint: expect.stringContaining("in a circle"),
    });
  });

  it("because it is of a package that nobody has", async () => {
    const thing = declare("nowhere:index:Thing", "thing", {}, { version: "9.9.9" });
    expect(await refusal(() => bench.up(program([net, sub, thing])))).toMatchObject({
      code: "E_PLUGIN",
      message: expect.stringContaining("there is no provider plugin for nowhere 9.9.9"),
      hint: expect.stringContaining("pulumi plugin install resource nowhere v9.9.9"),
    });
    const call = { of: { call: "nowhere:index:ask", args: {} } };
    expect(await refusal(() => bench.up(program([net, sub], call)))).toMatchObject({
      code: "E_PLUGIN",
      message: expect.stringContaining("nowhere"),
      hint: expect.stringContaining("pulumi plugin install resource nowhere"),
    });
  });
});

describe("what the OpenStack provider does not know", () => {
  let cloud: TestCloud;
  let proxy: CloudProxy;
  let changes: string[];
  beforeAll(async () => {
    cloud = await startTestCloud();
    changes = [];
    proxy = await startCloudProxy(Number(new URL(cloud.cloud.authUrl).port), {
      before: ({ method, url }) => {
        if (method !== "GET" && !url.includes("/auth/tokens")) changes.push(`${method} ${url}`);
        return true;
      },
    });
    bench = await Workbench.of("declared");
  });
  afterAll(async () => {
    await bench.dispose();
    await proxy.close();
    await cloud.stop();
  });

  const engine = createEmbeddedEngine({
    providers: (name) => (name === "openstack" ? createOpenStackProvider({ env: {} }) : undefined),
  });
  const up = (declarations: Declaration[], outputs = {}) => {
    const login = Object.entries({ ...cloud.variables, cloud: "", authUrl: proxy.authUrl });
    const overrides = Object.fromEntries(login.map(([key, value]) => [`openstack:${key}`, value]));
    return engine.up({ ...bench.stack, configOverrides: { ...overrides, ...program(declarations, outputs) } });
  };

  it.each<[string, Declaration[], object, string]>([
    [
      "a type",
      [declare("openstack:compute/flavour:Flavour", "f", {}, { version: "3.15.2" })],
      {},
      "resource type openstack:compute/flavour:Flavour",
    ],
    [
      "a function",
      [],
      { of: { call: "openstack:dns/ask:ask", args: {}, version: "3.15.2" } },
      "function openstack:dns/ask:ask",
    ],
  ])("%s", async (_, more, outputs, what) => {
    await up([net]);
    expect(changes).toHaveLength(1);
    expect(await refusal(() => up([net, ...more], outputs))).toMatchObject({
      code: "E_UNSUPPORTED",
      message: expect.stringContaining(`does not know the ${what}`),
      hint: expect.stringContaining("official engine"),
    });
    expect(changes).toHaveLength(1);
  });
});

describe("a plugin that dies", () => {
  let folder: string;
  beforeEach(async () => {
    bench = await Workbench.of("dynamic");
    folder = await mkdtemp(join(tmpdir(), "slipway-dynamic-"));
  });
  afterEach(async () => {
    await bench.dispose();
    await rm(folder, { recursive: true });
  });

  it("while it is asked, is named with its last words", async () => {
    const given = { "dynamic:folder": folder, "dynamic:password": "hush-hush" };
    await bench.up(given);
    await writeFile(join(folder, "deadly"), "");
    expect(await refusal(() => bench.up(given))).toMatchObject({
      code: "E_PLUGIN",
      message: expect.stringMatching(/pulumi-nodejs exited with code 7 while it was at work/),
      details: expect.arrayContaining(["the last words"]),
      hint: expect.stringContaining("Run the command again"),
    });
    expect(await readdir(folder)).toEqual(["deadly", "one"]);
  });
});
