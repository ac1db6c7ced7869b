import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { nameAndUrn } from "../../src/cli/name-and-urn.ts";
import { logIn, postJson } from "../e2e/openstack-http.ts";
import { PaperProject } from "./paper-project.ts";

// the real command line as a process
vi.setConfig({ testTimeout: 120_000 });

const type = "openstack:networking/network:Network";
const env = { PULUMI_CONFIG_PASSPHRASE: "x" };
let project: PaperProject;
let id: string;

beforeAll(async () => {
  project = await PaperProject.create();
  await project.addStack("taking");
  const { headers, endpoint } = await logIn(project.slipway);
  const url = `${endpoint("network").replace(/\/$/, "")}/v2.0/networks`;
  const answer = await postJson(url, { network: { name: "made-elsewhere" } }, headers);
  id = ((await answer.json()) as { network: { id: string } }).network.id;
}, 120_000);
afterAll(() => project?.remove());

const slipway = (...args: string[]) => project.run([...args, "--stack", "taking"], { env });

it("slipway import takes an object into the state and prints its declaration; what is not there is refused", async () => {
  const shown = await slipway("import", type, "uplink", id, "--preview-only");
  expect(shown.result).toMatchObject({ ok: true, previewOnly: true, changes: { create: 1, import: 1 } });
  const unconfirmed = await slipway("import", type, "uplink", id);
  expect(unconfirmed.result).toMatchObject({ ok: false, error: { code: "E_USAGE", hint: "Add --yes." } });

  const log = join(project.slipway.projectRoot, "import.jsonl");
  const { result } = await slipway("import", type, "uplink", id, "--yes", "--no-protect", "--event-log", log);
  expect(result).toMatchObject({
    ok: true,
    stack: "taking",
    changes: { create: 1, import: 1 },
    plan: ["= Network uplink"],
  });
  expect(result.program).toMatch(
    /new openstack\.networking\.Network\("uplink", \{[^}]*name: "made-elsewhere",[^}]*\}\);$/,
  );
  expect(await readFile(log, "utf8")).toContain('"op":"import"');
  const { deployment } = (await slipway("stack", "export")).result;
  expect(deployment.resources.at(-1)).toMatchObject({ type, id });
  expect(deployment.resources.at(-1).protect).toBeUndefined();

  const other = await slipway("import", type, "other", "6605328a-8715-4065-8a01-fd5f463b0000", "--yes");
  expect(other.result).toMatchObject({ ok: false, error: { code: "E_UPDATE_FAILED" } });
  const nonsense = await slipway("import", "openstack:networking/nonsense:Nonsense", "other", id, "--yes");
  expect(nonsense.result).toMatchObject({ ok: false, error: { code: "E_UNSUPPORTED" } });
});

it("a parent or provider is a URN, with or without the program's variable for it", () => {
  const urn = "urn:pulumi:dev::p::a:b:C$d:e:F::n=m";
  expect(nameAndUrn("parent", undefined)).toBeUndefined();
  expect(nameAndUrn("parent", urn)).toEqual({ urn, table: {} });
  expect(nameAndUrn("parent", `mine=${urn}`)).toEqual({ urn, table: { mine: urn } });
  expect(() => nameAndUrn("parent", "mine")).toThrow(expect.objectContaining({ code: "E_USAGE" }));
});
