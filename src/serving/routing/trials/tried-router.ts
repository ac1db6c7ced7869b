import type { RawTensor } from "../../tensors/raw-tensor.ts";
import { type AskedRouter, withPredict } from "../asked-router.ts";
import type { TrialBeside } from "../directory.ts";
import { type Answer, RuntimeError, type ServedModel, type Terms } from "../question.ts";
import type { Shadow } from "./shadow.ts";
import { evenly } from "./spread.ts";

export interface TrialOptions {
  shadow: Pick<Shadow, "follow">;
  /** Milliseconds from asking to the answer, of a model of this name. */
  deadlineOf: (model: string) => number;
  /** Called when a version on trial did not answer and the live one is asked in its place. */
  onReasked: (trial: ServedModel) => void;
}

/** A version on trial has this part of a question's time, so that the live one can answer still. */
const CANARY_PART = 0.5;

/**
 * A router whose questions to live versions are answered by the version on trial, or copied to it, as often as the trial says. Where no version
 * is on trial it costs a look into an empty map.
 */
export function withTrials(router: AskedRouter, options: TrialOptions): AskedRouter {
  const turns = new WeakMap<ServedModel, { percent: number; isNext: () => boolean }>();
  const isNext = ({ served, traffic: { percent } }: TrialBeside): boolean => {
    let turn = turns.get(served);
    if (turn?.percent !== percent) {
      turn = { percent, isNext: evenly(percent) };
      turns.set(served, turn);
    }
    return turn.isNext();
  };
  const isChosen = (trial: TrialBeside, { trial: choice, key }: Terms): boolean => {
    if (trial.problem !== undefined || choice === "never") return false;
    // an answer that is kept by its key is the live version's, whoever asks again with it
    if (key !== undefined && trial.traffic.mode === "canary") return false;
    return choice === "always" || isNext(trial);
  };

  return withPredict(router, (served, inputs, terms) => {
    const trial = terms?.trial && router.trialBeside(served);
    if (!trial || !isChosen(trial, terms)) return router.predict(served, inputs, terms);
    if (trial.traffic.mode === "canary") return askCanary(router, options, { trial, live: served }, inputs, terms);
    return router.predict(served, inputs, terms).then((answer) => {
      if (answer.served === served) options.shadow.follow(trial, inputs, answer);
      return answer;
    });
  });
}

/**
 * The version on trial answers. Where it does not, the live one does, unless what was asked may have been done: a trial costs no requests.
 */
function askCanary(
  router: AskedRouter,
  { deadlineOf, onReasked }: TrialOptions,
  { trial, live }: { trial: TrialBeside; live: ServedModel },
  inputs: RawTensor[],
  terms: Terms,
): Promise<Answer> {
  const isPure = trial.served.card.pure !== false;
  const allowedMs = Math.min(terms.withinMs ?? Number.POSITIVE_INFINITY, deadlineOf(live.model.name));
  const start = performance.now();
  const withinMs = isPure ? allowedMs * CANARY_PART : allowedMs;
  return router.predict(trial.served, inputs, { withinMs, standIn: true }).catch((error: unknown) => {
    if (!(error instanceof RuntimeError) || (!isPure && !isUntouched(error))) throw error;
    onReasked(trial.served);
    return router.predict(live, inputs, { ...terms, withinMs: allowedMs - (performance.now() - start) });
  });
}

/** Whether the model has surely not begun with the question. */
function isUntouched({ reason, mayHaveRun }: RuntimeError): boolean {
  return !mayHaveRun && (reason === "unavailable" || reason === "overloaded" || reason === "changed");
}
