import { expect, it } from "vitest";
import { lacks } from "../../src/cli/room-for-two.ts";
import {
  type GenerationHost,
  type Generations,
  type WantedHost,
  wantedGeneration,
} from "../../src/components/generations.ts";
import { type HostSource, plannedHosts, RECORDED_ONLY, wantedHost } from "../../src/components/planned-hosts.ts";

const host = (number: number, changes: Partial<GenerationHost> = {}): GenerationHost => ({
  number,
  ...{
    image: "debian-13",
    imageId: "i1",
    flavor: "m1.small",
    flavorId: "f1",
    keyPair: "key",
    roles: ["queue", "worker"],
  },
  ...{ userData: `user-data of g${number}`, frontendPort: 5100 },
  ...changes,
});
const record = (live: number, highest: number, ...hosts: GenerationHost[]): Generations => ({
  ...{ schemaVersion: 1, live, highest, firstPort: 5100, hosts },
});
const want =
  (changes: Partial<WantedHost> = {}) =>
  (number: number): WantedHost => ({ ...host(number), imageId: undefined, ...changes });

it("hosts that are what the configuration means stay, whatever their number and what their names stand for by now", () => {
  expect(wantedGeneration(record(3, 5, host(3)), want(), 1)).toEqual({ made: true, number: 3 });
  const order = want({ roles: ["worker", "queue"] });
  expect(wantedGeneration(record(3, 5, host(3)), order, 3)).toEqual({ made: true, number: 3 });
});

it.each([
  [{ image: "debian-14" }, "the image changes from debian-13 to debian-14"],
  [{ imageId: "i2" }, "the image changes from i1 to i2"],
  [{ flavor: "m1.tiny" }, "the flavor changes from m1.small to m1.tiny"],
  [{ keyPair: "other" }, "the key pair changes from key to other"],
  [{ roles: ["queue"] }, "the roles change from queue worker to queue"],
  [{ userData: "other" }, "the user-data changes"],
  [{ frontendPort: 80, userData: "other" }, "the frontend's port changes from 5100 to 80"],
])("another %o makes new ones, under a number that nobody had", (changes, reason) => {
  expect(wantedGeneration(record(1, 4, host(1)), want(changes), 1)).toEqual({
    made: false,
    number: 5,
    reasons: [reason],
  });
});

it("a configuration may ask for new hosts by their number alone, and gets those that follow it", () => {
  const reasons = ["the configuration asks for generation 7"];
  expect(wantedGeneration(record(1, 1, host(1)), want(), 7)).toEqual({ made: false, number: 7, reasons });
  expect(wantedGeneration(record(1, 8, host(1)), want(), 7)).toEqual({ made: false, number: 9, reasons });
});

it("new hosts that are under way go on, unless the configuration means the live ones again, or still others", () => {
  const under = record(1, 2, host(1), host(2, { flavor: "m1.tiny" }));
  expect(wantedGeneration(under, want({ flavor: "m1.tiny" }), 1)).toEqual({ made: true, number: 2 });
  expect(wantedGeneration(under, want(), 1)).toEqual({ made: true, number: 1 });
  expect(wantedGeneration(under, want({ flavor: "m1.medium" }), 1)).toMatchObject({ made: false, number: 3 });
});

const source: HostSource = {
  ...{ project: "slipway", stack: "production", templateFolder: "cloud-init" },
  publication: { sourceUrl: "http://store/c", publicKey: "MCowBQYDK2VwAyEA" },
  config: {
    topology: "server",
    ...{ image: "debian-13", flavor: "m1.small", externalNetwork: "public", cidr: "10.20.0.0/24" },
    ...{ sshCidr: "172.24.64.0/18", sshUser: "debian", frontendPort: 5100, generation: 1 },
    model: { name: "diabetes", directory: "models/diabetes/production" },
  },
};
const made = (number: number, config: object = {}): GenerationHost => ({
  number,
  ...wantedHost({ ...source, config: { ...source.config, ...config } }, number),
  ...{ imageId: "i1", flavorId: "f1" },
});

it("a program declares what is recorded as it was made, and what the configuration asks for besides", () => {
  const first = plannedHosts(source, undefined, {});
  expect(first).toMatchObject({ recorded: [], missing: { number: 1, flavor: "m1.small" } });
  const recorded = record(1, 1, made(1));
  expect(plannedHosts(source, recorded, {})).toEqual({ recorded: [made(1)], missing: undefined, firstPort: 5100 });
  const other = { ...source, config: { ...source.config, flavor: "m1.tiny" } };
  expect(plannedHosts(other, recorded, {})).toMatchObject({
    recorded: [made(1)],
    missing: { number: 2, flavor: "m1.tiny", userData: expect.stringContaining("g2") },
  });
  expect(plannedHosts(other, recorded, RECORDED_ONLY)).toMatchObject({ recorded: [made(1)], missing: undefined });
});

it("what a quota lacks is told with its figures; what has room, or is not limited, is not", () => {
  const quotas = [
    { word: "instances", used: 10, limit: 10 },
    { word: "cores", used: 18, limit: 20 },
    { word: "floating IPs", used: 50, limit: 50 },
  ];
  const needs = { instances: 1, cores: 2, "floating IPs": 0, ports: 1 };
  expect(lacks(quotas, needs)).toEqual(["instances: 10 of 10 used, 1 more needed"]);
});
