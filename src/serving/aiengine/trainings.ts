import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { JobChildren, JobFailure } from "../jobs/children.ts";
import type { Router } from "../routing/router.ts";
import type { Configuration } from "./configuration.ts";
import { Refused } from "./reply.ts";
import { awaitDigest } from "./set-up.ts";
import type { AiEngineConfig } from "./settings.ts";
import type { Store } from "./store.ts";
import type { Trained, TrainingTask } from "./training-task.ts";
import { Turns } from "./turns.ts";

/** What trainings work with. */
export interface TrainingSurroundings {
  settings: Pick<AiEngineConfig, "trainings" | "waitingTrainings" | "trainingTimeoutS" | "keepVersions">;
  store: Store;
  modelsDir: string;
  router: Pick<Router, "sync" | "findConnected">;
  /** Of a training's process, in MiB. */
  heapMiB: number;
  /** The module that a training's process runs. */
  entry: string;
  log: Pick<Logger, "warn" | "info">;
}

/** Trainings, each in a process of its own, so that whoever listens is not held up. */
export class Trainings {
  readonly #around: TrainingSurroundings;
  readonly #turns: Turns;
  readonly #children: JobChildren;
  readonly #stopping = new AbortController();

  constructor(around: TrainingSurroundings) {
    const { settings, entry, heapMiB } = around;
    this.#around = around;
    this.#turns = new Turns(settings.trainings, settings.waitingTrainings);
    this.#children = new JobChildren({ entry, heapMiB, maxJobs: 1 });
  }

  /**
   * Trains the model on a file and has the runtimes serve it.
   * @returns what `/train` answers
   * @throws Refused `R` while this model is being trained, or too many trainings wait; `F` for a file that is not right; `i` for all else
   */
  async train({ name, spec }: Configuration, dataFile: string): Promise<Trained["reply"]> {
    const { settings, store, modelsDir } = this.#around;
    const lock = store.lockTraining(name);
    if (lock === undefined) throw new Refused("R", `${name} is being trained`);
    try {
      const { keepVersions } = settings;
      const task = { name, spec, dataFile, logFile: store.logPath(name), modelsDir, keepVersions };
      const turn = await this.#turns.take(() => this.#run(task));
      if (turn === undefined) throw new Refused("R", `${settings.waitingTrainings} trainings wait`);
      await this.#bringIntoService(turn.done);
      return turn.done.reply;
    } finally {
      lock.release();
    }
  }

  /** Ends all trainings; their callers are told `R`. */
  async close(): Promise<void> {
    this.#stopping.abort(new Refused("R", "the engine is being stopped"));
    await this.#children.close();
  }

  async #run(task: TrainingTask): Promise<Trained> {
    const { trainingTimeoutS } = this.#around.settings;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Refused("i", `the training was ended after ${trainingTimeoutS} s`)),
      trainingTimeoutS * 1000,
    );
    const signal = AbortSignal.any([this.#stopping.signal, late.signal]);
    try {
      return (await this.#children.run({ id: randomUUID(), name: "train", data: task, before: {} }, signal)) as Trained;
    } catch (error) {
      if (error instanceof Refused) throw error;
      const isCallers = error instanceof JobFailure && error.final;
      if (!isCallers) this.#around.log.warn({ model: task.name, reason: messageOf(error) }, "training failed");
      throw new Refused(isCallers ? "F" : "i", messageOf(error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** A runtime that does not take the model is told by `/setup`: the training is done. */
  async #bringIntoService({ model }: Trained): Promise<void> {
    const { router, log } = this.#around;
    try {
      const { failed } = await router.sync();
      if (failed.length > 0) log.warn({ failed }, "a runtime does not take a model");
      await awaitDigest(router, model, this.#stopping.signal);
      log.info({ model }, "trained");
    } catch (error) {
      log.warn({ model, reason: messageOf(error) }, "the trained model does not serve yet");
    }
  }
}
