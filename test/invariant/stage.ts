import { createPublicKey } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../src/common/wait.ts";
import { type Manifest, openManifest } from "../../src/guest/manifest.ts";
import type { ReleasePhase, ReleaseStatus } from "../../src/guest/release-progress.ts";
import { inside } from "../e2e/guests/inside.ts";
import { type Ended, Slipway } from "../e2e/slipway.ts";
import { Load } from "./load.ts";
import { moduleText, question, type Traits } from "./models.ts";

const STACK = "production";
/** Short enough for a suite; long enough for the watch to look twice, and for the load to ask often. */
const WATCH_SECONDS = 1.5;
/** A model that answers at once takes less, also on a busy machine; those that are to be found slow take more. */
const NOISE_MS = 150;
/** On a busy machine a runtime that was killed needs longer than the usual five seconds to be back. */
const DEADLINE_MS = 9000;
const SETTLE_MS = 60_000;
const LOOK_MS = 4;

/** A stack on a real guest, its load, and what a case may do to either. */
export class Stage {
  readonly slipway: Slipway;
  readonly guest: ReturnType<typeof inside>;
  readonly url: string;
  readonly load: Load;
  /** The model that serves. */
  live: string;

  private constructor(slipway: Slipway, up: { url: string; hosts: { id: string }[] }, live: string, perSecond: number) {
    this.slipway = slipway;
    this.guest = inside(join(slipway.home, "cloud"), up.hosts[0]?.id ?? "");
    this.url = up.url;
    this.live = live;
    this.load = new Load({ url: this.#inferUrl, perSecond, ...question }, [live]);
  }

  /** Brings a stack to serve and begins to ask it. */
  static async open(perSecond: number): Promise<Stage> {
    const slipway = await Slipway.create();
    try {
      const live = "first";
      await writeModel(slipway, live, moduleText(live));
      await writeStackFile(slipway, live);
      requireOk(await slipway.run(["cloud", "start"]));
      const up = requireOk(await slipway.run(["up", STACK]));
      return new Stage(slipway, up.result, live, perSecond);
    } catch (error) {
      await slipway.remove();
      throw error;
    }
  }

  /** @returns what was left on the machine */
  async close(): Promise<string[]> {
    await this.load.end();
    return this.slipway.remove();
  }

  /** Writes a function model, and answers its path. */
  model(name: string, traits: Traits = {}): Promise<string> {
    return writeModel(this.slipway, name, moduleText(name, traits));
  }

  /** Writes what is to be a model, as it is. */
  async file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.slipway.projectRoot, "models", name);
    await writeFile(path, content);
    return path;
  }

  deploy(model: string, options: Parameters<Slipway["run"]>[1] = {}): Promise<Ended> {
    return this.slipway.run(["deploy", STACK, "--model", model], options);
  }

  rollBack(): Promise<Ended> {
    return this.slipway.run(["rollback", STACK]);
  }

  /** The name of the model that answers now. */
  async servingModel(): Promise<string> {
    const body = question.bodyOf(0);
    const answer = await fetch(this.#inferUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return question.modelOf(await answer.text(), 0);
  }

  get #inferUrl(): string {
    return `${this.url}/v2/models/answer/infer`;
  }

  async status(): Promise<ReleaseStatus> {
    const answer = await fetch(`${this.url}/v1/release`, { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`/v1/release answers ${answer.status}`);
    return (await answer.json()) as ReleaseStatus;
  }

  /** Acts as soon as the host is in this phase of a release that is newer than the last; not at all where that ends before. */
  async atPhase(phase: ReleasePhase, act: () => Promise<unknown>): Promise<ReleasePhase | undefined> {
    const { last } = await this.status();
    for (let looks = 0; looks < SETTLE_MS / LOOK_MS; looks++) {
      const { last: now } = await this.status();
      if (now.sequence > last.sequence) {
        if (now.result !== "underway") return undefined;
        if (now.phase === phase) {
          await act();
          return now.phase;
        }
      }
      await sleep(LOOK_MS);
    }
    throw new Error(`no release came to the phase ${phase}`);
  }

  /** What the hosts are to follow, as the stack's store has it. */
  async published(): Promise<Manifest> {
    const text = await this.guest.inGuest("cat", "/etc/slipway/host.json");
    const host = JSON.parse(text) as { sourceUrl: string; publicKey: string };
    const key = createPublicKey({ key: Buffer.from(host.publicKey, "base64"), format: "der", type: "spki" });
    return openManifest(await (await fetch(`${host.sourceUrl}/manifest`)).text(), key);
  }

  /** Waits until the host has followed what is published to its end, and nothing that serves is on its way up. */
  async settled(): Promise<ReleaseStatus> {
    const calm = async () => {
      const status = await this.status().catch(() => undefined);
      if (status === undefined || status.last.result === "underway") return undefined;
      if (status.last.sequence < (await this.published()).sequence) return undefined;
      return (await this.unsteady()).length === 0 ? status : undefined;
    };
    return waitFor("the release's end", calm, { timeoutMs: SETTLE_MS, intervalMs: 50 });
  }

  /** Has a good model serve, whatever came before, so that one case that fails does not fail those after it. */
  async startAnew(name: string): Promise<void> {
    await this.load.pause();
    await this.settled();
    requireOk(await this.deploy(await this.model(name)));
    this.live = name;
    this.load.allow(name);
    this.load.resume();
  }

  /** Ends the main process of a unit as the kernel would that has no memory left. */
  kill(unit: string): Promise<string> {
    return this.guest.inGuest("systemctl", "kill", "-s", "KILL", "--kill-whom=main", unit);
  }

  /** Units that do not run, in words. */
  async unsteady(): Promise<string[]> {
    const units = ["agent", "queue", "worker@1", "runtime@default-0", "runtime@default-1"];
    const names = units.map((unit) => `slipway-${unit}.service`);
    const states = (await this.guest.inGuest("sh", "-c", `systemctl is-active ${names.join(" ")} || true`)).trim();
    return states.split("\n").flatMap((state, at) => (state === "active" ? [] : [`${names[at]} is ${state}`]));
  }
}

async function writeModel(slipway: Slipway, name: string, text: string): Promise<string> {
  const folder = join(slipway.projectRoot, "models", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "model.ts"), text);
  return join("models", name);
}

async function writeStackFile(slipway: Slipway, model: string): Promise<void> {
  const path = join(slipway.projectRoot, "stacks", `Pulumi.${STACK}.yaml`);
  const shipped = (await readFile(path, "utf8")).replace(/ {2}slipway:model:[\s\S]*$/, "");
  const own = [
    "  slipway:model:",
    "    name: answer",
    `    directory: models/${model}`,
    "  slipway:gate:",
    `    watchSeconds: ${WATCH_SECONDS}`,
    `    latencyFloorMs: ${NOISE_MS}`,
    "  slipway:serving:",
    `    limits: { deadlineMs: ${DEADLINE_MS} }`,
    "",
  ].join("\n");
  await writeFile(path, shipped + own);
}

function requireOk(ended: Ended): Ended {
  if (ended.exitCode !== 0) throw new Error(`exit ${ended.exitCode}: ${JSON.stringify(ended.result)} ${ended.stderr}`);
  return ended;
}
