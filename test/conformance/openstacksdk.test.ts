import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findCredentials } from "../../src/openstack/clouds.ts";
import { cloudsFileCandidates } from "../../src/openstack/clouds-search.ts";
import { logIn } from "../../src/openstack/keystone.ts";
import { createTransport } from "../../src/openstack/transport.ts";
import { choiceCases, differences, fileCases, type PlaceCase } from "../openstack/credentials/place-cases.ts";
import { precedenceCases } from "../openstack/credentials/precedence-cases.ts";
import { prepared, type Scenario } from "../openstack/credentials/scenario.ts";
import { settingCases, waysToSet } from "../openstack/credentials/setting-cases.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { ensureOpenstackClient } from "./openstack-client.ts";
import { OpenstackSdk } from "./openstacksdk.ts";

// The scenarios of docs/reference/credentials.md: openstacksdk finds the same and sends the same login, or the page tells why not.

const client = await ensureOpenstackClient();
const skipped = "reason" in client ? ` (skipped: ${client.reason})` : "";

/** A Keystone that takes every login and keeps what was sent. */
class RecordingKeystone {
  readonly #server: Server;
  #logins: unknown[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      void this.#answer(request).then(({ status, body, headers }) =>
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body)),
      );
    });
  }

  static async start(): Promise<RecordingKeystone> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new RecordingKeystone(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage) {
    if (request.method === "GET") {
      const path = request.url?.replace(/\/(v3\/?)?$/, "");
      const version = { id: "v3.14", status: "stable", links: [{ rel: "self", href: `${this.url}${path}/v3/` }] };
      return { status: 200, body: { version }, headers: {} };
    }
    this.#logins.push(JSON.parse(await text(request)));
    const user = { id: "u", name: "demo", domain: { id: "default", name: "Default" } };
    const token = {
      methods: [],
      user,
      expires_at: "2099-01-01T00:00:00.000000Z",
      issued_at: "2020-01-01T00:00:00.000000Z",
    };
    return {
      status: 201,
      body: { token: { ...token, audit_ids: ["a"], catalog: [] } },
      headers: { "x-subject-token": "t" },
    };
  }

  /** What was sent since the last call. */
  taken(): unknown[] {
    const logins = this.#logins;
    this.#logins = [];
    return logins;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describe.skipIf("reason" in client)(`openstacksdk${skipped}`, { timeout: 60_000 }, () => {
  let sdk: OpenstackSdk;
  let keystone: RecordingKeystone;
  const transport = createTransport({ verify: true });

  beforeAll(async () => {
    sdk = new OpenstackSdk("python" in client ? client.python : "");
    keystone = await RecordingKeystone.start();
  });
  afterAll(async () => {
    transport.close();
    keystone?.close();
    await sdk?.close();
  });

  /** What Slipway finds, in openstacksdk's words, and the login that it sends. */
  async function ours(query: Parameters<typeof findCredentials>[0]) {
    try {
      const credentials = await findCredentials(query);
      await logIn(transport, credentials, 10_000);
      const { authUrl, region = "", interface: face, tls } = credentials;
      const { verify, ca = null, cert = null, key = null } = tls;
      const found = { authUrl, region, interface: face as string, verify, ca: verify ? ca : null, cert, key };
      return { found, sent: keystone.taken() };
    } catch {
      return { refused: true, sent: keystone.taken() };
    }
  }

  async function theirs(query: Parameters<typeof findCredentials>[0]) {
    const { found, refused } = await sdk.ask(query ?? {});
    const sent = keystone.taken();
    if (found === undefined) return { refused: true, why: refused, sent };
    const face = typeof found.interface === "string" ? found.interface.replace(/URL$/, "") : found.interface;
    return {
      found: { ...found, authUrl: found.authUrl.replace(/\/+$/, ""), region: found.region ?? "", interface: face },
      sent,
    };
  }

  /** Of what a stack's file may say openstacksdk understands the region alone, and it knows no embedded cloud. */
  const canBeAsked = ({ variables = {}, extra = [] }: Scenario) =>
    Object.keys(variables).every((name) => name === "region") && extra.length === 0;

  const documented = [choiceCases, fileCases, precedenceCases].flatMap((cases) =>
    Object.entries(cases).flatMap(([row, list]) => list.map((one): [string, PlaceCase] => [row, one])),
  );
  const settings = Object.keys(settingCases).flatMap((row) =>
    waysToSet(row).map((way): [string, Scenario] => [`${row} by ${way.as}`, way]),
  );

  async function bothOn(scenario: Scenario) {
    const query = prepared(scenario, temporaryFolder(), keystone.url);
    const mine = await ours(query);
    const { why, ...answer } = { why: undefined, ...(await theirs(query)) };
    return { mine, answer, why };
  }

  const scenarios = [...documented, ...settings].filter(([, scenario]) => canBeAsked(scenario));

  test.each(scenarios.filter(([, { differs }]) => differs === undefined))("%s: the same", async (_, scenario) => {
    const { mine, answer, why } = await bothOn(scenario);
    expect(answer, why).toEqual(mine);
  });

  const others = [...scenarios.filter(([, { differs }]) => differs !== undefined), ...Object.entries(differences)];
  test.each(others)("%s: not the same, and the page says so", async (row, { differs = row, ...scenario }) => {
    expect(Object.keys(differences)).toContain(differs);
    const { mine, answer, why } = await bothOn(scenario);
    expect(answer, why).not.toEqual(mine);
  });

  test("the files are looked for in the same order", async () => {
    const environments: Record<string, string>[] = [
      {},
      { XDG_CONFIG_HOME: "/x", XDG_CONFIG_DIRS: "/s", SNAP_REAL_HOME: "/snap" },
      { XDG_CONFIG_HOME: "x" },
    ];
    for (const env of environments) {
      const query = prepared({ env }, temporaryFolder(), keystone.url);
      const { paths } = await sdk.ask(query);
      expect(cloudsFileCandidates("clouds", query)).toEqual([...new Set(paths)]);
    }
  });
});
