import { setTimeout as sleep } from "node:timers/promises";
import { type VersionFigures, versionFigures } from "../../serving/frontend/releases/version-figures.ts";
import { isSameModel, type ModelIdentity } from "../../serving/models/registry.ts";
import { type Ask, NotAnswered } from "../asking.ts";
import type { Role } from "./lineup.ts";

/** For what is only briefly refused: a frontend that is full, a runtime that is just away. */
const PATIENCE = { ms: 5000, statuses: [] as readonly number[] };
/** Where runtimes come and go: a version that is in no memory may be in a moment, and one that does not answer in time may be away. */
const LONG_PATIENCE: typeof PATIENCE = { ms: 30_000, statuses: [404, 504] };
const PAUSE_MS = 100;
/** Between two looks at who has heard of a change: it is a matter of a few milliseconds. */
const LOOK_MS = 10;

/** A host's own frontend, as its agent asks it. */
export class OwnFrontend {
  readonly url: string;
  /** Asks a whole URL. */
  readonly asking: Ask;
  readonly #patience: typeof PATIENCE;

  /** @param asking with the host's own token, where the frontend demands one */
  constructor(url: string, asking: Ask, patience = PATIENCE) {
    this.url = url;
    this.asking = asking;
    this.#patience = patience;
  }

  /** The same one, asked for longer, as it is right where runtimes come and go. */
  patient(): OwnFrontend {
    return new OwnFrontend(this.url, this.asking, LONG_PATIENCE);
  }

  /** The JSON that a GET, or with `body` a POST, answers. Rejects with {@link NotAnswered}. */
  ask(path: string, body?: unknown): Promise<unknown> {
    return this.asking(`${this.url}${path}`, body);
  }

  /** The same, again and again for a while as long as what stands in the way may pass. */
  async askPatiently(path: string, body?: unknown): Promise<unknown> {
    const { ms, statuses } = this.#patience;
    const deadline = performance.now() + ms;
    for (;;) {
      try {
        return await this.ask(path, body);
      } catch (error) {
        const mayPass = error instanceof NotAnswered && (error.passing || statuses.includes(error.status ?? 0));
        if (!mayPass || performance.now() + PAUSE_MS > deadline) throw error;
      }
      await sleep(PAUSE_MS);
    }
  }

  async figures(): Promise<VersionFigures> {
    return versionFigures.parse(await this.askPatiently("/v1/release/figures"));
  }

  /**
   * Waits until these versions serve in these ways for every one of the frontend's processes.
   * @throws Error naming the first for which they do not
   */
  untilServing(roles: readonly Role[]): Promise<void> {
    return this.#until((figures) => missingRole(figures, roles));
  }

  /** Waits until every one of the frontend's processes knows that these models are in memory. Throws Error naming the first that is not. */
  untilLoaded(models: readonly ModelIdentity[]): Promise<void> {
    return this.#until((figures) => missingModel(figures, models));
  }

  /** @param missingIn what is missing yet, in words */
  async #until(missingIn: (figures: VersionFigures) => string | undefined): Promise<void> {
    const deadline = performance.now() + this.#patience.ms;
    for (;;) {
      const missing = missingIn(await this.figures());
      if (missing === undefined) return;
      if (performance.now() > deadline) throw new Error(missing);
      await sleep(LOOK_MS);
    }
  }
}

/** The first model that not every process of the frontend knows to be in memory, in words. */
function missingModel({ processes, serves }: VersionFigures, models: readonly ModelIdentity[]): string | undefined {
  const knowing = (model: ModelIdentity) =>
    serves.filter((one) => isSameModel(one, model)).reduce((sum, one) => sum + one.processes, 0);
  const missing = models.find((model) => processes === 0 || knowing(model) < processes);
  return missing && `no runtime tells of ${missing.name} ${missing.version}`;
}

/** The first role that not every process of the frontend knows of, in words. */
function missingRole({ processes, serves }: VersionFigures, roles: readonly Role[]): string | undefined {
  for (const { model, way } of roles) {
    const knowing = serves.find((one) => isSameModel(one, model) && one.way === way)?.processes ?? 0;
    if (processes > 0 && knowing === processes) continue;
    return `${model.name} ${model.version} is ${way} for ${knowing} of ${processes} processes of the frontend`;
  }
  return undefined;
}
