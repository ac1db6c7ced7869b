import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureOpenstackClient, OpenstackClient } from "../conformance/openstack-client.ts";
import { askOnce, constantLoad } from "../support/constant-load.ts";
import { writeFickleModel } from "./fickle.ts";
import { Slipway } from "./slipway.ts";

/** An OpenStack that we did not write: the stack whose file describes it, and where its clouds.yaml is. */
const { SLIPWAY_REAL_STACK: stack, OS_CLOUD: cloud, OS_CLIENT_CONFIG_FILE: cloudsFile } = process.env;
const client = await ensureOpenstackClient();
const skip =
  stack === undefined || cloud === undefined || cloudsFile === undefined
    ? "name one: SLIPWAY_REAL_STACK, OS_CLOUD, OS_CLIENT_CONFIG_FILE"
    : "reason" in client
      ? client.reason
      : undefined;
/** A guest under software emulation boots, and starts Node, in minutes. */
const MINUTES = 60_000;

const collections = [
  ["server", "list"],
  ["port", "list"],
  ["floating", "ip", "list"],
  ["router", "list"],
  ["subnet", "list"],
  ["network", "list"],
  ["security", "group", "list"],
  ["keypair", "list"],
  ["volume", "list"],
];

describe.skipIf(skip !== undefined)(`a stack on a real OpenStack${skip === undefined ? "" : ` (${skip})`}`, () => {
  const env = { OS_CLIENT_CONFIG_FILE: cloudsFile ?? "", OS_CLOUD: cloud ?? "" };
  const slipway = (args: string[]) =>
    project.run([...args, "--os-cloud", cloud ?? ""], { env, timeoutMs: 25 * MINUTES });
  let project: Slipway;
  let openstack: OpenstackClient;
  let before: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the final object of `up`, looked into with matchers
  let first: any;

  /** Everything in the project, as the cloud's own client lists it. */
  async function inventory(): Promise<Record<string, unknown>> {
    const found: Record<string, unknown> = {};
    for (const words of collections) found[words.join(" ")] = await openstack.json(...words);
    return found;
  }

  beforeAll(async () => {
    project = await Slipway.create();
    openstack = new OpenstackClient("python" in client ? client.python : "", env);
    before = await inventory();
  });
  afterAll(async () => {
    if (first !== undefined) await slipway(["down", String(stack), "--yes"]);
    await openstack?.close();
    await project?.remove();
  }, 5 * MINUTES);

  it("`up` ends in a right prediction through a floating IP of that cloud", { timeout: 30 * MINUTES }, async () => {
    const { result, exitCode } = await slipway(["up", String(stack)]);
    if (result.ok !== true) console.log(`up failed: ${JSON.stringify(result)}`);
    first = result;
    expect(result).toMatchObject({ ok: true, changed: true, model: { name: "diabetes", version: "1" } });
    expect(exitCode).toBe(0);
    console.log(`phases of up: ${JSON.stringify(result.timings)}`);
    const listed = await openstack.json("floating", "ip", "list", "--long");
    const own = { "Floating IP Address": new URL(result.url).hostname, Status: "ACTIVE" };
    expect(listed).toEqual(expect.arrayContaining([expect.objectContaining(own)]));
  });

  it("`check` and `status` agree, and a second `up` changes nothing", { timeout: 5 * MINUTES }, async () => {
    expect(first).toMatchObject({ ok: true });
    const { digest } = first.model;
    expect((await slipway(["check", String(stack)])).result).toMatchObject({ ok: true, model: { digest } });
    expect((await slipway(["status", String(stack)])).result).toMatchObject({
      ok: true,
      health: "serving",
      hosts: [{ id: first.hosts[0].id, state: "ACTIVE" }],
    });
    expect((await slipway(["up", String(stack)])).result).toMatchObject({ ok: true, changed: false, url: first.url });
  });

  it("releases under load: one that is deployed, one that the host refuses, one that comes back; no request fails", {
    timeout: 30 * MINUTES,
  }, async () => {
    expect(first).toMatchObject({ ok: true });
    const body = { rows: [[3, 107, 71, 37, 0, 32.1, 0.715, 25]] };
    const load = constantLoad(
      async (agent) => {
        const asked = performance.now();
        const signal = AbortSignal.timeout(MINUTES);
        const { status, text } = await askOnce(agent, `${first.url}/v1/predict`, { body, signal });
        const { version } = JSON.parse(text).model ?? {};
        return { asked, status, version };
      },
      { keeping: 2, fresh: 1, idling: 2 },
    );
    const versionsSince = (when: number) =>
      new Set(load.answers.filter(({ asked }) => asked > when).map(({ version }) => version));
    const told = ({ result }: { result: { timings?: object; phases?: object } }) =>
      JSON.stringify({ timings: result.timings, phases: result.phases, asked: load.answers.length });

    const deployed = await slipway(["deploy", String(stack), "--model", "models/diabetes/development"]);
    const whenDeployed = performance.now();
    console.log(`deploy: ${told(deployed)}`);
    expect(deployed.result).toMatchObject({ ok: true, changed: true, kind: "deploy", model: { version: "2" } });

    const fickle = await writeFickleModel(project.projectRoot);
    const refused = await slipway(["deploy", String(stack), "--model", fickle, "--allow-new-inputs"]);
    console.log(`refused: ${JSON.stringify(refused.result.error)}`);
    expect(refused.result.error).toMatchObject({ code: "E_GATE_FAILED", hint: expect.stringContaining("version 2") });
    expect(refused.exitCode).toBe(6);
    expect(versionsSince(whenDeployed)).toEqual(new Set(["2"]));

    const back = await slipway(["rollback", String(stack)]);
    const whenBack = performance.now();
    console.log(`rollback: ${told(back)}`);
    expect(back.result).toMatchObject({ ok: true, kind: "rollback", model: { version: "1" } });
    const { releases } = (await slipway(["releases", String(stack)])).result;
    await load.stop();
    expect(versionsSince(whenBack)).toEqual(new Set(["1"]));
    console.log(`${load.answers.length} requests during three releases, ${load.failures.length} of them failed`);
    expect(load.failures).toEqual([]);
    expect(new Set(load.answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(releases).toMatchObject(
      ["up passed", "deploy passed", "deploy kept", "restore passed", "rollback passed"].map((one) => {
        const [kind, result] = one.split(" ");
        return { kind, result, source: ["here", "host"] };
      }),
    );
  });

  it("`down` leaves the project as it was", { timeout: 5 * MINUTES }, async () => {
    const { result, exitCode } = await slipway(["down", String(stack), "--yes"]);
    expect(result).toMatchObject({ ok: true, leftovers: [] });
    expect(exitCode).toBe(0);
    expect(await inventory()).toEqual(before);
  });
});
