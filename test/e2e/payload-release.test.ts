import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkGrpc } from "../../src/health/check-grpc.ts";
import { askOnce, constantLoad } from "../support/constant-load.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { Slipway } from "./slipway.ts";

const root = join(import.meta.dirname, "../..");
const golden = join(root, "models/diabetes/production/golden.json");
const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(`payloads released under load${skip === undefined ? "" : ` (${skip})`}`, () => {
  let slipway: Slipway;
  let url: string;
  let rows: number[][];
  let guest: ReturnType<typeof inside>;
  /** The stack's file as it was. */
  let given: string;
  /** Where gRPC is served from the next `up` on. */
  const serveGrpc = async (port: number | undefined) => {
    const more = port === undefined ? "" : `  slipway:serving: { grpc: { port: ${port} } }\n`;
    await writeFile(join(slipway.projectRoot, "stacks/Pulumi.production.yaml"), `${given}${more}`);
  };
  /** The ports of {@link serveGrpc} at which somebody listens. */
  const listening = async () =>
    [...(await guest.inGuest("ss", "-Hltn")).matchAll(/:(510[12]) /g)].map(([, port]) => Number(port));
  /** What clients see while this goes on: no failure. */
  const underLoad = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const { answers, failures, stop } = load();
    const ended = await act().finally(stop);
    console.log(`${answers.length} requests during ${what}, ${failures.length} of them failed`);
    expect(failures).toEqual([]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    return ended;
  };
  const frontend = () => join(slipway.projectRoot, "src/serving/main-frontend.ts");
  /** On a connection of its own: one that is kept may be idle for as long as a frontend that ends waits for its next question. */
  const payload = async () => {
    const { text } = await askOnce(new Agent({ keepAlive: false }), `${url}/version`);
    return (JSON.parse(text) as { payload: string }).payload;
  };
  const load = () =>
    constantLoad(
      (agent, turn) =>
        turn % 10 === 0
          ? askOnce(agent, `${url}/version`)
          : askOnce(agent, `${url}/v1/predict`, { body: { rows: rows.slice(0, 2) } }),
      { keeping: 2, fresh: 1, idling: 4 },
    );

  /** The project's own source with another line in its frontend. */
  const changeFrontend = async (line: string) => {
    await rm(join(slipway.projectRoot, "src"), { recursive: true });
    await cp(join(root, "src"), join(slipway.projectRoot, "src"), { recursive: true });
    await writeFile(frontend(), `${line}\n${await readFile(frontend(), "utf8")}`);
  };

  beforeAll(async () => {
    rows = (JSON.parse(await readFile(golden, "utf8")) as { rows: number[][] }).rows;
    slipway = await Slipway.create();
    expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "nspawn" });
    const { result } = await slipway.run(["up", "production"]);
    expect(result).toMatchObject({ ok: true });
    url = result.url;
    given = await readFile(join(slipway.projectRoot, "stacks/Pulumi.production.yaml"), "utf8");
    guest = inside(join(slipway.home, "cloud"), result.hosts[0].id);
  });
  afterAll(async () => {
    expect(await slipway?.remove()).toEqual([]);
  });

  it("another payload takes over, that listens for gRPC as well, and no request fails", async () => {
    const before = await payload();
    await changeFrontend("process.title = 'another payload';");
    await serveGrpc(5101);
    const { result, exitCode } = await underLoad("a payload's release", () => slipway.run(["up", "production"]));
    expect(result).toMatchObject({ ok: true, changed: true, grpc: expect.stringMatching(/:5101$/) });
    expect(exitCode).toBe(0);
    await checkGrpc(result.grpc, 10_000);
    expect(await payload()).not.toBe(before);
  });

  it("one whose frontend never becomes ready leaves the old one serving where it does, and no request fails", async () => {
    const before = await payload();
    await changeFrontend("throw new Error('this frontend never starts');");
    await serveGrpc(5102);
    const { result, exitCode } = await underLoad("a payload's failed release", () => slipway.run(["up", "production"]));
    expect(result).toMatchObject({ ok: false, error: { code: "E_GATE_FAILED" } });
    expect(exitCode).toBe(6);
    expect(await payload()).toBe(before);
    expect(await listening()).toEqual([5101]);
  });

  it("a listener moves to another port, and no request fails", async () => {
    await changeFrontend("process.title = 'another payload';");
    const { result } = await underLoad("a listener's move", () => slipway.run(["up", "production"]));
    expect(result).toMatchObject({ ok: true, changed: true });
    await checkGrpc(result.grpc, 10_000);
    expect(await listening()).toEqual([5102]);
  });

  it.each([
    ["is asked by the release alone", true],
    ["answers everybody, beside the old one", false],
  ])(
    "an agent that is killed while the next frontend %s goes back, and no request fails",
    {
      timeout: 300_000,
    },
    async (_when, isHeld) => {
      const before = await payload();
      const ports = await listening();
      await changeFrontend(`process.title = 'killed ${isHeld}';`);
      await serveGrpc(undefined);
      // there as long as the release alone can ask the frontend of this name
      const isThere = "[ -e /run/slipway-frontend/a.sock ] || [ -e /run/slipway-frontend/b.sock ]";
      const script = [
        `until ${isThere}; do sleep 0.01; done`,
        ...(isHeld ? [] : [`while ${isThere}; do sleep 0.01; done`]),
        "systemctl kill -s KILL --kill-whom=main slipway-agent.service",
      ].join("; ");
      await guest.inGuest("systemd-run", "--quiet", "--collect", "timeout", "290", "sh", "-c", script);
      const what = `a release whose agent was killed ${isHeld ? "before" : "in"} the handover`;
      const { result, exitCode } = await underLoad(what, () =>
        slipway.run(["up", "production"], { timeoutMs: 290_000 }),
      );
      expect(result.error).toMatchObject({
        code: "E_GATE_FAILED",
        message: expect.stringContaining("the host's agent was interrupted while the release was under way"),
      });
      expect(exitCode).toBe(6);
      expect(await payload()).toBe(before);
      expect(await listening()).toEqual(ports);
      const running = await guest.inGuest(
        "sh",
        "-c",
        "systemctl is-active slipway-frontend@a slipway-frontend@b || true",
      );
      expect(running.trim().split("\n").sort()).toEqual(["active", "inactive"]);
      expect(await guest.inGuest("sh", "-c", "ls /run/slipway-agent /run/slipway-frontend")).not.toMatch(
        /frontend-|sock/,
      );
    },
  );
});
