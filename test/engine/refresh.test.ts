import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEmbeddedEngine } from "../../src/engine/embedded/embedded-engine.ts";
import type { ResourceState } from "../../src/engine/embedded/state/resource-state.ts";
import { afterRefresh, inverted } from "../../src/engine/embedded/steps/after-refresh.ts";
import { equalButForNulls } from "../../src/engine/embedded/values/equality.ts";
import { Secret } from "../../src/engine/embedded/values/value.ts";
import { signatureKey } from "../../src/engine/embedded/values/wire.ts";
import type { ResourceProvider } from "../../src/engine/resource-provider.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { halfMade } from "./support/fake-provider.ts";
import { resourceState } from "./support/resource-state.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

const recordedFolder = fileURLToPath(new URL("fixtures/refresh", import.meta.url));

/** What `pulumi refresh` 3.248.0 asked the OpenStack provider 3.15.2, what that answered, and the state before and after. */
describe("a recorded refresh of the official engine", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a recording, looked at as it is
  type Recorded = { request: unknown; response: any };
  // biome-ignore lint/suspicious/noExplicitAny: a recording, looked at as it is
  const read = async (): Promise<any> => JSON.parse(await readFile(join(recordedFolder, "recorded.json"), "utf8"));
  /** Secrets travel in an envelope, which an adapter opens. */
  const opened = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(opened);
    if (typeof value !== "object" || value === null) return value;
    if (signatureKey in value && "value" in value) return opened(value.value);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, opened(item)]));
  };
  const unsealed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(unsealed);
    if (typeof value !== "object" || value === null) return value;
    if ("ciphertext" in value) return "[sealed]";
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unsealed(item)]));
  };

  it("is repeated by ours: the same questions, the same state, the same counts", async () => {
    const { before, after, reads, diffs, resourceChanges } = await read();
    const root = temporaryFolder();
    await mkdir(join(root, ".pulumi/stacks/trace"), { recursive: true });
    const file = join(root, ".pulumi/stacks/trace/dev.json");
    await writeFile(
      file,
      JSON.stringify({ version: 3, checkpoint: { stack: "organization/trace/dev", latest: before } }),
    );
    const asked: string[] = [];
    const provider = {
      configure: async () => undefined,
      close: async () => undefined,
      secretOutputs: (type: string) => (type.endsWith(":Keypair") ? ["privateKey"] : []),
      async read(r, id, properties, inputs) {
        asked.push(`read ${r.urn}`);
        const { request, response } = opened(reads[r.urn]) as Recorded;
        expect({ id, properties, inputs }).toEqual(request);
        return { id: response.id, outputs: response.properties, inputs: response.inputs };
      },
      async diff(r, id, olds, oldInputs, news) {
        asked.push(`diff ${r.urn}`);
        const { request, response } = opened(diffs[r.urn]) as Recorded;
        expect({ id, olds, news, oldInputs }).toEqual(request);
        const changes = response.changes !== "DIFF_NONE";
        return { changes, replaces: [], deleteBeforeReplace: false, detailedDiff: {} };
      },
    } as Partial<ResourceProvider> as ResourceProvider;
    const engine = createEmbeddedEngine({ providers: () => provider });
    const backendUrl = `file://${root}`;
    const stack = { projectRoot: recordedFolder, project: "trace", stack: "dev", backendUrl, passphrase: "x" };
    const { changes } = await engine.refresh(stack);

    expect(changes).toEqual(resourceChanges);
    expect(asked.toSorted()).toEqual(
      [...Object.keys(reads).map((urn) => `read ${urn}`), ...Object.keys(diffs).map((urn) => `diff ${urn}`)].sort(),
    );
    const { latest } = JSON.parse(await readFile(file, "utf8")).checkpoint;
    const modified = (resources: { urn: string; modified?: string }[]) =>
      new Map(resources.map((resource) => [resource.urn, resource.modified]));
    const [old, ours, theirs] = [before, latest, after].map(({ resources }) => modified(resources));
    const touched = (now: typeof ours) =>
      [...(now?.keys() ?? [])].filter((urn) => now?.get(urn) !== old?.get(urn)).sort();
    expect(touched(ours)).toEqual(touched(theirs));
    const timeless = ({ resources }: { resources: object[] }) =>
      unsealed(resources.map((resource) => ({ ...resource, modified: undefined })));
    expect(timeless(latest)).toEqual(timeless(after));
    const [entry = ""] = (await readdir(join(root, ".pulumi/history/trace/dev"))).filter((name) =>
      name.endsWith(".history.json"),
    );
    expect(JSON.parse(await readFile(join(root, ".pulumi/history/trace/dev", entry), "utf8"))).toMatchObject({
      kind: "refresh",
      result: "succeeded",
      resourceChanges,
    });
  });

  it("of which nothing is kept is only shown", async () => {
    const bench = await Workbench.of("network");
    try {
      await bench.up();
      const before = await readFile(bench.checkpointPath, "utf8");
      bench.cloud.objects.clear();
      const { changes } = await bench.refresh({ previewOnly: true });
      expect(changes).toEqual({ same: 2, delete: 10 });
      expect(await readFile(bench.checkpointPath, "utf8")).toBe(before);
      expect(await bench.locks()).toEqual([]);
    } finally {
      await bench.dispose();
    }
  });
});

describe("a refresh", () => {
  let bench: Workbench;
  beforeEach(async () => {
    bench = await Workbench.of("network");
    await bench.up();
  });
  afterEach(() => bench.dispose());

  const object = (kind: string) => bench.cloud.ofType(kind)[0] as NonNullable<ReturnType<typeof bench.cloud.ofType>[0]>;
  const state = async (name: string) =>
    (await bench.latest()).resources.find(({ urn }: { urn: string }) => urn.endsWith(name));

  it("takes over what somebody changed, shows it the right way round, and the next up changes it back", async () => {
    object("Network").properties = { ...object("Network").properties, name: "theirs" };
    const { modified } = await state(":Network::net");
    const { changes, outputs } = await bench.refresh();
    expect(changes).toEqual({ same: 11, update: 1 });
    expect(outputs).toMatchObject({ note: "hush-hush" });
    expect(bench.cloud.calls).toEqual([]);
    const told = bench.events.flatMap(({ resOutputsEvent }) => resOutputsEvent?.metadata ?? []);
    expect(told).toContainEqual(
      expect.objectContaining({
        op: "update",
        urn: expect.stringMatching(/:Network::net$/),
        old: expect.objectContaining({ inputs: expect.objectContaining({ name: "net" }) }),
        new: expect.objectContaining({ inputs: expect.objectContaining({ name: "theirs" }) }),
        detailedDiff: { name: { diffKind: "update", inputDiff: true } },
      }),
    );
    expect(bench.events.at(-2)?.summaryEvent).toMatchObject({ resourceChanges: changes, result: "succeeded" });
    const network = await state(":Network::net");
    expect(network).toMatchObject({ inputs: { name: "theirs" }, outputs: { name: "theirs" } });
    expect(network.modified > modified).toBe(true);
    await bench.up();
    expect(bench.cloud.calls).toEqual(["update Network net"]);
  });

  it("forgets what is gone and whatever named it; the next preview makes it again", async () => {
    bench.cloud.objects.delete(object("Port").id);
    bench.cloud.objects.delete(object("SecGroup").id);
    const { changes } = await bench.refresh();
    expect(changes).toEqual({ same: 10, delete: 2 });
    expect(await state("Port::port")).toBeUndefined();
    const rule = await state("::rule-22");
    expect(rule.dependencies).toBeUndefined();
    expect(rule.propertyDependencies).toBeUndefined();
    expect((await state("Instance::server")).dependencies).toHaveLength(1);
    await bench.engine.verify(bench.stack);
    await bench.preview();
    expect(bench.steps()).toEqual(expect.arrayContaining(["create port", "create group"]));
  });

  it("of targets looks at them alone", async () => {
    bench.cloud.objects.clear();
    const { urn } = await state("FloatingIp::address");
    expect((await bench.refresh({ targets: [urn] })).changes).toEqual({ delete: 1 });
    expect(bench.cloud.questions).toEqual(["read address"]);
    expect((await bench.refresh({ targets: ["**::rule-*"] })).changes).toEqual({ delete: 2 });
    expect(await failureOf(bench.refresh({ targets: [urn] }))).toMatchObject({ code: "E_LOOKUP" });
  });

  it("with dependents looks at what leans on a target too", async () => {
    const { urn } = await state("SecGroup::group");
    await bench.refresh({ targets: [urn], targetDependents: true });
    const looked = bench.cloud.questions.filter((question) => question.startsWith("read ")).sort();
    expect(looked).toEqual(["read group", "read port", "read rule-22", "read rule-5100", "read server"]);
  });

  it("that cannot read one resource keeps what it read of the others, and fails", async () => {
    object("Network").properties = { ...object("Network").properties, name: "theirs" };
    bench.cloud.beforeRead = (r) => {
      if (r.name === "server") throw new Error("503 from Nova");
    };
    const failure = await failureOf(bench.refresh());
    expect(failure).toMatchObject({ code: "E_UPDATE_FAILED", message: expect.stringMatching(/::server: 503/) });
    expect(await state("Instance::server")).toBeDefined();
    expect((await state(":Network::net")).inputs.name).toBe("theirs");
  });

  it("notes what is unwell, and the next up mends it", async () => {
    bench.cloud.beforeRead = (r) => {
      if (r.name === "server") throw halfMade(bench.cloud, r);
    };
    await bench.refresh();
    expect(bench.messages()).toEqual([
      "warning: Refreshed resource is in an unhealthy state:\n* unexpected state 'ERROR'",
    ]);
    expect((await state("Instance::server")).initErrors).toEqual(["unexpected state 'ERROR'"]);
    bench.cloud.beforeRead = () => undefined;
    await bench.up();
    expect(bench.cloud.calls).toEqual(["update Instance server"]);
    expect((await state("Instance::server")).initErrors).toBeUndefined();
  });

  it("before an up, a preview and a destroy has them work with what is there", async () => {
    bench.cloud.objects.delete(object("FloatingIp").id);
    await bench.preview({}, { refresh: true });
    expect(bench.steps()).toContain("create address");
    expect((await bench.up({}, { refresh: true })).changes).toEqual({ same: 11, create: 1 });
    expect(bench.cloud.calls).toEqual(["create FloatingIp address"]);
    bench.cloud.objects.delete(object("FloatingIp").id);
    expect((await bench.destroy({ refresh: true })).changes).toEqual({ delete: 11 });
    expect(bench.cloud.calls).not.toContain("delete FloatingIp address");
  });

  it("that fails keeps the up that it opens from beginning", async () => {
    bench.cloud.beforeRead = () => {
      throw new Error("503");
    };
    expect(await failureOf(bench.up({ "network:networkName": "other" }, { refresh: true }))).toMatchObject({
      code: "E_UPDATE_FAILED",
    });
    expect(await failureOf(bench.destroy({ refresh: true }))).toMatchObject({ code: "E_UPDATE_FAILED" });
    expect(bench.cloud.calls).toEqual([]);
    expect(bench.cloud.objects.size).toBe(10);
  });

  it("opens every operation of a project that says so", async () => {
    const root = temporaryFolder();
    await cp(bench.stack.projectRoot, root, { recursive: true });
    const path = join(root, "Pulumi.yaml");
    await writeFile(path, `${await readFile(path, "utf8")}\noptions:\n  refresh: always\n`);
    bench.cloud.questions.length = 0;
    await bench.engine.destroy({ ...bench.stack, projectRoot: root }, bench.options());
    expect(bench.cloud.questions.filter((question) => question.startsWith("read "))).toHaveLength(10);
  });

  it("clears interrupted creations where it is told to, and else looks for what became of them", async () => {
    const file = JSON.parse(await readFile(bench.checkpointPath, "utf8"));
    const { latest } = file.checkpoint;
    const index = latest.resources.findIndex(({ urn }: { urn: string }) => urn.endsWith("FloatingIp::address"));
    const [resource] = latest.resources.splice(index, 1);
    const { id: _, outputs: __, ...unmade } = resource;
    latest.pending_operations = [{ type: "creating", resource: unmade }];
    const interrupted = JSON.stringify(file);
    await writeFile(bench.checkpointPath, interrupted);
    bench.cloud.canFindInterrupted = false;
    await bench.refresh();
    expect(bench.messages()).toEqual([expect.stringContaining("address, interrupted while creating")]);
    expect((await bench.latest()).pending_operations).toHaveLength(1);
    await bench.refresh({ clearPendingCreates: true });
    expect((await bench.latest()).pending_operations).toBeUndefined();
  });
});

it("a stack without state has nothing to be refreshed", async () => {
  const bench = await Workbench.of("network");
  expect(await failureOf(bench.refresh())).toMatchObject({
    code: "E_STACK_UNKNOWN",
    hint: expect.stringMatching(/up/),
  });
  await bench.dispose();
});

describe("the state after a refresh", () => {
  const urn = (name: string) => `urn:pulumi:s::p::t::${name}`;
  const resource = (name: string, more: Partial<ResourceState> = {}) => resourceState(urn(name), more);

  it("has children of what is gone at their grandparents, over several generations", () => {
    const a = resource("a");
    const b = resource("b", { parent: urn("a") });
    const c = resource("c", { parent: urn("b") });
    const d = resource("d", { parent: urn("c"), deletedWith: urn("b") });
    const gone = new Map([
      [b, undefined],
      [c, undefined],
    ]);
    const [, last] = afterRefresh([a, b, c, d], gone);
    expect(last).toMatchObject({ urn: urn("d"), parent: urn("a") });
    expect(last).not.toHaveProperty("deletedWith");
    const [orphan] = afterRefresh([a, resource("e", { parent: urn("a") })], new Map([[a, undefined]]));
    expect(orphan).not.toHaveProperty("parent");
  });

  it("keeps a dependency only where a generation of the resource stands before", () => {
    const [first, second, third] = [resource("a", { delete: true }), resource("a", { delete: true }), resource("a")];
    const b = resource("b", { dependencies: [urn("a")], propertyDependencies: { x: [urn("a")], y: [] } });
    const c = resource("c", { dependencies: [urn("a")] });
    const gone = new Map([
      [first, undefined],
      [third, undefined],
    ]);
    const [early, , late] = afterRefresh([first, b, second, third, c], gone);
    expect(early).toMatchObject({ urn: urn("b"), dependencies: [], propertyDependencies: {} });
    expect(late).toMatchObject({ urn: urn("c"), dependencies: [urn("a")] });
  });

  it("is shown with what was added as added", () => {
    const detailedDiff = {
      a: { kind: "add", inputDiff: true },
      b: { kind: "delete-replace", inputDiff: false },
      c: { kind: "update-replace", inputDiff: false },
    } as const;
    const diff = { changes: true, replaces: ["b"], deleteBeforeReplace: false, detailedDiff };
    expect(inverted(diff).detailedDiff).toEqual({
      a: { kind: "delete", inputDiff: true },
      b: { kind: "add-replace", inputDiff: false },
      c: { kind: "update-replace", inputDiff: false },
    });
  });

  it("is the same where only a null came or went", () => {
    expect(equalButForNulls({ a: 1, b: null, c: { d: null } }, { a: 1, c: {} })).toBe(true);
    expect(equalButForNulls({ a: [] }, {})).toBe(false);
    expect(equalButForNulls({ a: Secret.of({ b: null }) }, { a: Secret.of({}) })).toBe(true);
    expect(equalButForNulls({ a: Secret.of(1) }, { a: 1 })).toBe(false);
  });
});
