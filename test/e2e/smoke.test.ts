import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { messageOf } from "../../src/common/errors.ts";
import { waitFor } from "../../src/common/wait.ts";
import { ensureOpenstackClient, OpenstackClient } from "../conformance/openstack-client.ts";
import { type SmokeCloud, smokeCloud, whyNoCloud } from "./smoke/clouds.ts";
import { Smoke } from "./smoke/smoke.ts";
import { type Step, steps, undo } from "./smoke/steps.ts";

const client = await ensureOpenstackClient();
const skip = (await whyNoCloud()) ?? ("reason" in client ? `skipped: ${client.reason}` : undefined);

/** For a command that waits by itself. */
const commandMs = 300_000;

describe.skipIf(skip !== undefined)(`a server's life by the openstack client (${skip ?? "real guests"})`, () => {
  let folder: string;
  let cloud: SmokeCloud;
  let openstack: OpenstackClient;
  let smoke: Smoke;
  let failed: string | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-smoke-"));
    cloud = await smokeCloud();
    openstack = new OpenstackClient("python" in client ? client.python : "", cloud.env);
    smoke = await Smoke.prepare(openstack, cloud, folder);
  });
  afterAll(async () => {
    if (failed !== undefined) for (const line of undo) await smoke.openstack(line).catch(() => undefined);
    await openstack?.close();
    await cloud?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  for (const step of steps) {
    it(step.name, { timeout: commandMs + (step.untilMs ?? 0) }, async ({ skip }) => {
      skip(failed !== undefined, `"${failed}" failed`);
      try {
        const answer = await answerTo(step);
        if (step.keep !== undefined) smoke.keep(step.keep, answer);
      } catch (error) {
        failed = step.name;
        throw error;
      }
    });
  }

  /** The answer, once it is right. */
  async function answerTo(step: Step): Promise<string> {
    const { name, untilMs } = step;
    if (untilMs === undefined) return rightAnswer(step);
    let last: unknown;
    const look = () =>
      rightAnswer(step).catch((error: unknown) => {
        last = error;
        return undefined;
      });
    return waitFor(name, look, { timeoutMs: untilMs, intervalMs: 500 }).catch((error: unknown) => {
      throw last === undefined ? error : new Error(`${messageOf(error)}; the last look: ${messageOf(last)}`);
    });
  }

  async function rightAnswer({ command, answer }: Step): Promise<string> {
    const text = (typeof command === "string" ? await smoke.openstack(command) : await command(smoke)).trim();
    if (typeof answer === "string") expect(text).toBe(smoke.filled(answer));
    else expect(text, `the answer ${text}`).toMatch(smoke.filledPattern(answer));
    return text;
  }
});
