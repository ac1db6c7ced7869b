import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadStackConfig, settingNotes } from "../../src/components/config.ts";
import { gateSettingsSchema } from "../../src/components/gate-settings.ts";
import { nearest } from "../../src/components/nearest.ts";
import { keypairName, stackTag } from "../../src/components/tags.ts";
import { gateSchema } from "../../src/guest/release-terms.ts";

const good = {
  "slipway:image": "debian-13",
  "slipway:flavor": "m1.small",
  "slipway:externalNetwork": "public",
  "slipway:sshCidr": "192.168.0.0/16",
  "slipway:model": { name: "diabetes", directory: "models/diabetes/production" },
};

const aiengine = { cidr: "10.0.0.0/8", cert: "c.pem", key: "k.pem", ca: "ca.pem" };

const problem = (over: Record<string, unknown>) => {
  try {
    loadStackConfig("slipway", { ...good, ...over });
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("a stack's configuration", () => {
  test("has defaults for all that is the same for most stacks", () => {
    expect(loadStackConfig("slipway", good)).toEqual({
      topology: "server",
      image: "debian-13",
      flavor: "m1.small",
      externalNetwork: "public",
      network: undefined,
      cidr: "10.20.0.0/24",
      sshCidr: "192.168.0.0/16",
      sshUser: "debian",
      frontendPort: 5100,
      generation: 1,
      model: { name: "diabetes", directory: "models/diabetes/production" },
    });
  });

  test("is the same from the stack's file and from Pulumi, which gives texts", () => {
    const texts = {
      ...good,
      "slipway:model": JSON.stringify(good["slipway:model"]),
      "slipway:frontendPort": "8080",
      "slipway:generation": "3",
    };
    expect(loadStackConfig("slipway", texts)).toMatchObject({
      frontendPort: 8080,
      generation: 3,
      model: good["slipway:model"],
    });
  });

  test("has a gate whose thresholds have the hosts' own defaults, and no key that is not known", async () => {
    const gate = { accuracy: { table: "t.csv" }, command: ["judge"] };
    expect(loadStackConfig("slipway", { ...good, "slipway:gate": gate }).gate).toEqual({
      ...gateSchema.parse({}),
      accuracy: { table: "t.csv", maxDrop: 0 },
      command: ["judge"],
      commandSeconds: 600,
    });
    expect(problem({ "slipway:gate": { watchSecond: 3 } })).toMatchObject({
      message: "slipway:gate.watchSecond is not a setting; did you mean watchSeconds?",
    });
    expect(problem({ "slipway:gate": { accuracy: { table: "t.csv", max: 3 } } })).toMatchObject({
      message: expect.stringContaining("slipway:gate.accuracy.max is not a setting"),
    });
    expect(problem({ "slipway:gate": { errorRate: 2 } })).toMatchObject({ code: "E_CONFIG_INVALID" });
    const page = await readFile(join(import.meta.dirname, "../../docs/reference/releases.md"), "utf8");
    for (const key of Object.keys(gateSettingsSchema.shape)) expect(page).toContain(`| \`${key}\` |`);
  });

  test("as shipped is valid and names the embedded cloud", async () => {
    const text = await readFile(join(import.meta.dirname, "../../stacks/Pulumi.production.yaml"), "utf8");
    const { config } = parse(text) as { config: Record<string, unknown> };
    expect(config["openstack:cloud"]).toBe("slipway");
    expect(loadStackConfig("slipway", config)).toMatchObject({
      image: "debian-13",
      flavor: "m1.small",
      externalNetwork: "public",
      model: { name: "diabetes", directory: "models/diabetes/production" },
    });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ "slipway:image": undefined }, "slipway:image is missing"],
    [{ "slipway:flavour": "x" }, "slipway:flavour is not a setting; did you mean flavor?"],
    [{ "slipway:model": { name: "m", dir: "x", directory: "y" } }, "slipway:model.dir is not a setting"],
    [{ "slipway:sshCidr": "10.0.0.1/24" }, "slipway:sshCidr must be an IPv4 range like 10.20.0.0/24"],
    [{ "slipway:sshCidr": "anywhere" }, "slipway:sshCidr must be an IPv4 range"],
    [{ "slipway:frontendPort": "http" }, "slipway:frontendPort"],
    [{ "slipway:frontendPort": 70000 }, "slipway:frontendPort"],
    [{ "slipway:frontendPort": 22 }, "slipway:frontendPort 22 is SSH's"],
    [{ "slipway:frontendPort": 6379 }, "slipway:frontendPort 6379 is the job queue's"],
    [{ "slipway:generation": 0 }, "slipway:generation"],
    [{ "slipway:tokens": { ci: "boss" } }, "slipway:tokens.ci.role must be one of"],
    [{ "slipway:tokens": { ci: { role: "read", expires: "soon" } } }, "slipway:tokens.ci.expires"],
    [{ "slipway:tokens": { ci: { role: "read", token: "x" } } }, "slipway:tokens.ci.token is not a setting"],
    [{ "slipway:tokens": { slipway: "read" } }, "slipway:tokens.slipway is a name that Slipway uses itself"],
    [{ "slipway:serving": { limits: { requestRows: 0 } } }, "slipway:serving.limits.requestRows"],
    [{ "slipway:serving": { limits: { requestRow: 1 } } }, "slipway:serving.limits.requestRow is not a setting"],
    [{ "slipway:aiengine": { ...aiengine, cidr: undefined } }, "slipway:aiengine.cidr is missing"],
    [{ "slipway:aiengine": { ...aiengine, host: "x" } }, "slipway:aiengine.host is not a setting"],
    [{ "slipway:aiengine": { ...aiengine, port: 5100 } }, "slipway:aiengine.port 5100 is frontendPort's"],
    [{ "slipway:serving": { modelsDir: "/x" } }, "slipway:serving.modelsDir is not a setting"],
    [{ "slipway:serving": { grpc: { port: 5100 } } }, "slipway:serving.grpc.port 5100 is frontendPort's"],
    [{ "slipway:scale": { worker: 0 } }, "slipway:scale.worker"],
    [{ "slipway:scale": { queue: 2 } }, "slipway:scale.queue is not a setting; the settings are worker, runtime"],
    [
      { "slipway:scale": { runtime: 2 }, "slipway:serving": { runtimes: [{ name: "default" }] } },
      "slipway:scale.runtime and serving.runtimes both say",
    ],
    [{ "slipway:containers": { mtu: 100 } }, "slipway:containers.mtu"],
    [{ "slipway:containers": { addressPool: "10.89.0.0/25" } }, "slipway:containers.addressPool must be an IPv4 range"],
    [{ "slipway:containers": { engine: "docker" } }, "slipway:containers.engine is not a setting"],
    [{ "slipway:containers": { addressPool: "10.0.0.0/8" } }, "has addresses of the stack's own network 10.20.0.0/24"],
    [
      { "slipway:containers": {}, "slipway:serving": { runtimes: [{ name: "gpu", device: "cuda" }] } },
      "slipway:serving.runtimes.device cuda does not go with containers",
    ],
    [
      { "slipway:containers": {}, "slipway:serving": { trainers: { mine: { command: ["/bin/true"] } } } },
      "slipway:serving.trainers does not go with containers",
    ],
    [{ "slipway:topology": "pair" }, "slipway:topology must be"],
    [{ "slipway:model": "{broken" }, "slipway:model"],
    [{ "slipway:model": { name: "No Spaces", directory: "x" } }, "slipway:model.name must be lower-case"],
  ])("%j is refused", (over, message) => {
    expect(problem(over)).toMatchObject({
      code: "E_CONFIG_INVALID",
      exitCode: 2,
      message: expect.stringContaining(message),
    });
  });

  test("keeps what is said of serving as it was written: defaults are the payload's", () => {
    const serving = { models: { diabetes: { durable: true } }, grpc: { port: 5101 }, runtimes: [{ name: "default" }] };
    for (const given of [serving, JSON.stringify(serving)]) {
      expect(loadStackConfig("slipway", { ...good, "slipway:serving": given }).serving).toEqual(serving);
    }
  });

  test("takes a token's role alone, or with its end", () => {
    const expires = "2030-01-01T00:00:00Z";
    const tokens = { alice: "admin", ci: { role: "deploy", expires } };
    expect(loadStackConfig("slipway", { ...good, "slipway:tokens": tokens }).tokens).toEqual({
      alice: { role: "admin" },
      ci: { role: "deploy", expires },
    });
  });

  test("everything that is wrong is told at once", () => {
    const error = problem({ "slipway:image": undefined, "slipway:flavor": undefined, "slipway:x": 1 });
    expect(error).toMatchObject({ details: expect.arrayContaining([expect.stringContaining("flavor")]) });
  });

  test.each(["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32", "172.24.64.0/18"])("%s is a range", (range) => {
    expect(problem({ "slipway:sshCidr": range })).toBeUndefined();
  });
});

test("every setting is on its page", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/reference/stack-config.md"), "utf8");
  expect(Object.keys(settingNotes).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("a stack's marks", () => {
  const tag = stackTag("slipway", "production.eu");
  expect(tag).toBe("slipway:slipway/production.eu");
  expect(keypairName(tag)).toBe("slipway-slipway-production-eu");
});

test("a slip of the keys is recognised, a guess is not made", () => {
  expect(nearest("flavour", ["image", "flavor"])).toBe("flavor");
  expect(nearest("sshcidr", ["cidr", "sshCidr"])).toBe("sshCidr");
  expect(nearest("quota", ["image", "flavor"])).toBeUndefined();
  expect(nearest("ab", ["cd"])).toBeUndefined();
});
