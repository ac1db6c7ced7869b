import { readFile } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import { allClients } from "./clients/all.ts";
import { type Difference, differencesOf } from "./comparison/compare.ts";
import { covers, rowsOf, suggestion } from "./comparison/differences-page.ts";
import { readRecorded, writeRecorded } from "./comparison/recorded.ts";
import type { Call } from "./comparison/recorder.ts";
import { type Client, callsOf } from "./run-client.ts";
import { embeddedSite } from "./site/embedded.ts";
import { apiVersions, realSite } from "./site/real.ts";
import type { Site } from "./site/site.ts";

// Clients that others make are led through the same calls on the embedded cloud and on a real one, and every field of the answers is the
// same, or listed in docs/reference/cloud-differences.md. The real one is the entry of clouds.yaml that SLIPWAY_CONFORMANCE_CLOUD names
// (its administrator: the entry NAME-admin), else what it answered when it was last recorded, with SLIPWAY_CONFORMANCE_RECORD=1.

const given = process.env.SLIPWAY_CONFORMANCE_CLOUD;
const isRecording = process.env.SLIPWAY_CONFORMANCE_RECORD === "1";

const clients = await Promise.all(
  allClients.map(async (client) => {
    const found = await client.ensure();
    return { client, found, skipped: "reason" in found ? ` (skipped: ${found.reason})` : "" };
  }),
);

const rows = rowsOf(await readFile(new URL("../../docs/reference/cloud-differences.md", import.meta.url), "utf8"));
const used = new Set<number>();
const told: string[] = [];

afterAll(() => console.log(`conformance, calls of each client:\n${told.join("\n")}`));

describe("clients of OpenStack, unmodified", { timeout: given === undefined ? 300_000 : 3_600_000 }, () => {
  for (const { client, found, skipped } of clients) {
    test.skipIf("reason" in found)(`${client.name} is answered as by a real cloud${skipped}`, async () => {
      const here = await on(embeddedSite(), (site) => callsOf(client, site));
      const there = given === undefined ? (await readRecorded(client.name)).calls : await asked(client, given, found);
      const differences = differencesOf(here, there);
      const unlisted = differences.filter((difference) => !isListed(difference));
      told.push(countsOf(client.name, here, differences, unlisted));
      expect([...new Set(unlisted.map(suggestion))].join("\n"), "rows that the page of differences lacks").toBe("");
    });
  }

  test.skipIf(clients.some(({ found }) => "reason" in found))("no listed difference is gone", () => {
    const gone = rows
      .filter(({ line, isChance }) => !isChance && !used.has(line))
      .map(({ line }) => `cloud-differences.md:${line}`);
    expect(gone).toEqual([]);
  });
});

async function asked(client: Client, cloud: string, found: object): Promise<Call[]> {
  return on(realSite(cloud), async (site) => {
    const calls = await callsOf(client, site);
    if (isRecording) {
      const day = new Date().toISOString().slice(0, 10);
      const version = "version" in found ? String(found.version) : "";
      await writeRecorded(client.name, { day, client: version, cloud: await apiVersions(site.upstreams), calls });
    }
    return calls;
  });
}

async function on<T>(opening: Promise<Site>, use: (site: Site) => Promise<T>): Promise<T> {
  const site = await opening;
  try {
    return await use(site);
  } finally {
    await site.close();
  }
}

function isListed(difference: Difference): boolean {
  const covering = rows.filter((row) => covers(row, difference));
  for (const { line } of covering) used.add(line);
  return covering.length > 0;
}

function countsOf(name: string, calls: Call[], differences: Difference[], unlisted: Difference[]): string {
  const distinct = (list: Difference[]) => new Set(list.map(({ call }) => call)).size;
  const [differing, failing] = [distinct(differences), distinct(unlisted)];
  return `${name}: ${calls.length} calls, ${calls.length - differing} the same, ${differing - failing} differ as listed, ${failing} otherwise`;
}
