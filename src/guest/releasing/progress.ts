import { messageOf } from "../../common/errors.ts";
import { writeFileAtomic } from "../../common/files.ts";
import { identityOf } from "../../serving/models/registry.ts";
import { defaultModel, type Manifest } from "../manifest.ts";
import type { GuestPaths } from "../paths.ts";
import type { ReleasePhase, ReleaseReport, ReleaseStatus } from "../release-progress.ts";
import { rememberRelease } from "./history.ts";

/**
 * Tells how far a release is, in a file that the frontend shows: written anew with every phase. That it cannot be written, on a full disk,
 * does not keep the release from going its way.
 */
export class ReleaseProgress {
  readonly #paths: GuestPaths;
  readonly #report: ReleaseReport;
  #serves: Manifest | undefined;
  #entered = performance.now();

  /** @param serves the manifest that serves now; undefined on a host where nothing does yet */
  constructor(paths: GuestPaths, serves: Manifest | undefined, manifest: Manifest, phase: ReleasePhase = "fetch") {
    const { sequence, origin, push, payload, trial } = manifest;
    this.#paths = paths;
    this.#serves = serves;
    this.#report = {
      sequence,
      ...(origin && { origin }),
      ...(push && { push }),
      payload: payload.digest,
      model: identityOf(defaultModel(manifest)),
      ...(trial && { trial: { model: identityOf(trial.model), traffic: trial.traffic } }),
      result: "underway",
      phase,
      figures: {},
      began: new Date().toISOString(),
      ms: {},
    };
  }

  async enter(phase: ReleasePhase): Promise<void> {
    this.#leave();
    this.#report.phase = phase;
    await this.#write();
  }

  /** Takes down what was measured; it is shown with the next phase. */
  figure(name: string, value: number): void {
    this.#report.figures[name] = Math.round(value * 1000) / 1000;
  }

  /** From now on this manifest's models answer. */
  serves(manifest: Manifest): void {
    this.#serves = manifest;
  }

  /** The release has ended, in the phase that it is in unless its failure names another, and is remembered. */
  async end(result: Exclude<ReleaseReport["result"], "underway">, failure?: ReleaseReport["failure"]): Promise<void> {
    this.#leave();
    Object.assign(this.#report, { result, ...(failure && { failure, phase: failure.phase }) });
    await rememberRelease(this.#paths, this.#report).catch(tell);
    await this.#write();
  }

  get phase(): ReleasePhase {
    return this.#report.phase;
  }

  #leave(): void {
    const { ms, phase } = this.#report;
    const now = performance.now();
    ms[phase] = (ms[phase] ?? 0) + Math.round(now - this.#entered);
    this.#entered = now;
  }

  async #write(): Promise<void> {
    if (this.#serves === undefined) return;
    const { sequence, payload, push } = this.#serves;
    const model = identityOf(defaultModel(this.#serves));
    const serves = { sequence, payload: payload.digest, model, ...(push && { push }) };
    const status: ReleaseStatus = { schemaVersion: 1, serves, last: this.#report };
    await writeFileAtomic(this.#paths.releaseStatus, `${JSON.stringify(status)}\n`, 0o644).catch(tell);
  }
}

function tell(error: unknown): void {
  console.error(`the release's progress cannot be told: ${messageOf(error)}`);
}
