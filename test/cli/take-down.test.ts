import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { logIn, postJson } from "../e2e/openstack-http.ts";
import { PaperProject } from "./paper-project.ts";

vi.setConfig({ testTimeout: 60_000 });

let project: PaperProject;
beforeAll(async () => {
  project = await PaperProject.create();
});
afterAll(() => project?.remove());

it("`down` gives a stand-in back that has outlived the stack's state", async () => {
  const { headers, endpoint } = await logIn(project.slipway);
  const neutron = `${endpoint("network").replace(/\/$/, "")}/v2.0`;
  const { networks } = (await (await fetch(`${neutron}/networks?name=public`, { headers })).json()) as {
    networks: { id: string }[];
  };
  const description = "slipway:slipway/production stand-in";
  const floatingip = { floating_network_id: networks[0]?.id, description };
  expect((await postJson(`${neutron}/floatingips`, { floatingip }, headers)).status).toBe(201);
  expect(await project.resourcesOf("production")).toEqual(["floatingips"]);
  const { result } = await project.run(["down", "production", "--yes"]);
  expect(result).toMatchObject({ ok: true, leftovers: [] });
  expect(await project.resourcesOf("production")).toEqual([]);
});
