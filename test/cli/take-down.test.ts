import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { leftoverKinds } from "../../src/release/leftovers.ts";
import { logIn, postJson } from "../e2e/openstack-http.ts";
import type { Ended, Kill } from "../e2e/slipway.ts";
import { consoleOf, PaperProject, stackOf } from "./paper-project.ts";

vi.setConfig({ testTimeout: 120_000 });

/** A guest whose host fails its bootstrap: everything is made, and nothing serves. */
function failing(spec: Parameters<typeof stackOf>[0]): string {
  if (stackOf(spec) === "production") return "";
  const at = new Date().toISOString();
  const failure = { step: "queue", reason: "broken", lines: [] };
  return consoleOf([{ type: "verdict", at, sequence: 1, ok: false, failure, ms: 1 }]);
}

let project: PaperProject;
beforeAll(async () => {
  project = await PaperProject.create(failing);
});
afterAll(() => project?.remove());

const down = (stack: string, ...args: string[]) => project.run(["down", stack, "--yes", ...args]);
const notes = ({ lines }: Ended) => lines.flatMap(({ type, text }) => (type === "note" && text ? [text] : []));

/** A call as another client makes it. */
async function call(
  service: "compute" | "network" | "volumev3" | "image",
  method: string,
  path: string,
  body?: object,
) {
  const { headers, endpoint } = await logIn(project.slipway);
  const base = endpoint(service).replace(/\/(v2\.0|v2)?\/?$/, "");
  const version = { network: "/v2.0", image: "/v2", compute: "", volumev3: "" }[service];
  const url = `${base}${version}/${path}`;
  const answer = method === "POST" ? await postJson(url, body, headers) : await fetch(url, { method, headers });
  expect(answer.status, `${method} ${url}`).toBeLessThan(300);
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it with matchers
  return (answer.status === 204 ? {} : await answer.json()) as any;
}

it("`down` gives a stand-in back that has outlived the stack's state", async () => {
  const { networks } = await call("network", "GET", "networks?name=public");
  const description = "slipway:slipway/production stand-in";
  const floatingip = { floating_network_id: networks[0]?.id, description };
  await call("network", "POST", "floatingips", { floatingip });
  expect(await project.resourcesOf("production")).toEqual(["floatingips"]);
  const { result } = await down("production");
  expect(result).toMatchObject({ ok: true, leftovers: [] });
  expect(await project.resourcesOf("production")).toEqual([]);
});

describe("a stack whose `up` failed", () => {
  it("and whose state is lost is swept by its tag: a server in ERROR with its port, a volume that is in use, an image", async () => {
    await project.addStack("lost");
    project.cloud.faults.arm("P12:no-valid-host");
    expect((await project.run(["up", "lost"])).exitCode).toBe(4);
    await project.cloud.faults.disarm();
    const removed = await project.run(["stack", "rm", "lost", "--force", "--yes", "--preserve-config"]);
    expect(removed.result, removed.stderr).toMatchObject({ ok: true });

    const tag = "slipway:slipway/lost";
    const { networks } = await call("network", "GET", `networks?tags=${encodeURIComponent(tag)}`);
    const { images } = await call("image", "GET", "images");
    const { flavors } = await call("compute", "GET", "flavors");
    const { server } = await call("compute", "POST", "servers", {
      server: {
        name: "server-g2",
        imageRef: images[0].id,
        flavorRef: flavors[0].id,
        networks: [{ uuid: networks[0].id }],
        metadata: { slipway: tag },
      },
    });
    const { volume } = await call("volumev3", "POST", "volumes", { volume: { size: 1, metadata: { slipway: tag } } });
    await project.cloud.idle();
    await call("compute", "POST", `servers/${server.id}/os-volume_attachments`, {
      volumeAttachment: { volumeId: volume.id },
    });
    await project.cloud.idle();
    const baked = await call("image", "POST", "images", { name: "baked", tags: [tag], protected: true });

    const refused = await down("lost");
    expect(refused.exitCode).toBe(9);
    expect(refused.result.error).toMatchObject({
      code: "E_LEFTOVERS",
      details: [expect.stringMatching(`^image baked ${baked.id}: .*answered 403`)],
    });
    const swept = notes(refused).filter((line) => line.endsWith(" swept"));
    expect(swept.map((line) => leftoverKinds.find((kind) => line.startsWith(kind)))).toEqual(
      "floating IP|server|server|volume|port|router|subnet|network|security group|key pair".split("|"),
    );
    expect(await project.resourcesOf("lost")).toEqual([]);
    expect(await call("volumev3", "GET", "volumes")).toEqual({ volumes: [] });

    const { headers, endpoint } = await logIn(project.slipway);
    const type = "application/openstack-images-v2.1-json-patch";
    await fetch(`${endpoint("image").replace(/\/(v2)?\/?$/, "")}/v2/images/${baked.id}`, {
      method: "PATCH",
      headers: { ...headers, "content-type": type },
      body: JSON.stringify([{ op: "replace", path: "/protected", value: false }]),
    });
    expect((await down("lost")).result).toMatchObject({ ok: true, leftovers: [] });
  });

  it("is removed by the `down` after one that was killed, wherever that was", async () => {
    await project.addStack("killed");
    expect((await project.run(["up", "killed"])).exitCode).toBe(5);
    const deletes = (resource: string, state: string): Kill => ({
      at: (line) =>
        line.type === "step" && line.operation === "delete" && line.resource === resource && line.state === state,
    });
    const moments: Kill[] = [
      { at: ({ phase, state }) => phase === "destroy" && state === "start" },
      deletes("Instance", "start"),
      deletes("Port", "done"),
      deletes("Router", "start"),
      { at: ({ phase, state }) => phase === "sweep" && state === "start" },
      { at: ({ phase, state }) => phase === "unpublish" && state === "start" },
    ];
    for (const kill of moments) {
      const ended = await project.run(["down", "killed", "--yes"], { kill });
      expect(ended.signal ?? ended.result, ended.stderr).toBe("SIGKILL");
    }
    const { result } = await down("killed");
    expect(result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("killed")).toEqual([]);
  });

  it("keeps its data with --keep-data, named and not counted; a `down` without it removes that too", async () => {
    await project.addStack("kept");
    expect((await project.run(["up", "kept"])).exitCode).toBe(5);
    const metadata = { slipway: "slipway:slipway/kept" };
    const { volume } = await call("volumev3", "POST", "volumes", { volume: { size: 1, name: "rows", metadata } });
    await waitFor(
      "the volume",
      async () => (await call("volumev3", "GET", `volumes/${volume.id}`)).volume.status === "available" || undefined,
      { timeoutMs: 10_000 },
    );
    const first = await down("kept", "--keep-data");
    expect(first.result, first.stderr).toMatchObject({
      ok: true,
      leftovers: [],
      kept: [`volume rows ${volume.id}`, expect.stringMatching(/^container slipway-kept-[0-9a-f]{32}$/)],
    });
    expect(await project.resourcesOf("kept")).toEqual([expect.stringMatching(/^container slipway-kept-/)]);
    expect((await down("kept")).result).toMatchObject({ ok: true, kept: [] });
    expect(await project.resourcesOf("kept")).toEqual([]);
    expect(await call("volumev3", "GET", "volumes")).toEqual({ volumes: [] });
  });

  it("is left as it is where a backup is asked for and there is no host to fetch it from", async () => {
    await project.addStack("bare");
    const { result, exitCode } = await down("bare", "--backup", "saved");
    expect(exitCode).toBe(4);
    expect(result.error).toMatchObject({ code: "E_BACKUP_FAILED", message: expect.stringContaining("no host") });
  });
});
