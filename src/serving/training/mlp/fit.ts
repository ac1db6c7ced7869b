import { SlipwayError } from "../../../common/errors.ts";
import { type Breather, startBreathing } from "./breather.ts";
import { type Evaluation, evaluate, rowAccuracies } from "./evaluate.ts";
import { type LossName, losses, lossPlace, lossValues } from "./losses.ts";
import { type Mlp, withFlatParameters } from "./network.ts";
import { type OptimizerOptions, startOptimizer } from "./optimizers.ts";
import { CHUNK_ROWS, Passes } from "./passes.ts";
import { Random } from "./random.ts";
import { rowNumbers, type Samples } from "./samples.ts";

/** How a network is trained. */
export interface FitOptions {
  loss: LossName;
  optimizer: OptimizerOptions;
  epochs: number;
  /** Rows of one step; the last of an epoch may be smaller. */
  batchSize: number;
  seed: number;
  /** Whether each epoch takes the rows in another order. */
  shuffle: boolean;
  earlyStopping: { patience: number; minDelta: number; restoreBest: boolean } | undefined;
}

/** A finished epoch. */
export interface EpochFigures {
  /** From 1. */
  epoch: number;
  /** The mean over the epoch's rows as they were trained on, with penalties, as Keras tells it. */
  loss: number;
  accuracy: number | undefined;
  /** After the epoch, over the validation rows. */
  validation: Evaluation | undefined;
}

/** A trained network. */
export interface Fitted {
  network: Mlp;
  /** The last epoch, or the best one where its weights were kept. */
  figures: EpochFigures;
  /** Epochs that were run. */
  epochs: number;
}

export interface FitHooks {
  onEpoch?: ((figures: EpochFigures) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Trains a copy of the network on the rows. Other work of the thread gets its turn every few milliseconds.
 * @throws SlipwayError E_TRAINING_FAILED when the loss is no finite number any more; the signal's reason once it is aborted
 */
export async function fitNetwork(
  start: Mlp,
  training: Samples,
  validation: Samples | undefined,
  options: FitOptions,
  { onEpoch, signal }: FitHooks = {},
): Promise<Fitted> {
  const { network, parameters } = withFlatParameters(start);
  const breather = startBreathing(signal);
  const epoch = epochRunner(network, parameters, training, options, breather);
  const best = bestEpoch(options.earlyStopping);
  const order = rowNumbers(training.count);
  const orders = Random.of(options.seed, "order");
  for (let number = 1; ; number++) {
    if (options.shuffle) orders.shuffle(order);
    const trained = await epoch(order);
    const figures: EpochFigures = {
      epoch: number,
      ...trained,
      validation: validation && (await evaluate(network, options.loss, validation, breather)),
    };
    requireFinite(figures);
    onEpoch?.(figures);
    const hasToEnd = best.judge(figures, parameters);
    if (!hasToEnd && number < options.epochs) continue;
    return { network, figures: best.restoreTo(parameters) ?? figures, epochs: number };
  }
}

/** Runs one epoch of steps over the rows in an order. */
function epochRunner(
  network: Mlp,
  parameters: Float64Array,
  { count, width, inputs, targetWidth, targets, weights }: Samples,
  { loss: lossName, optimizer, batchSize, seed }: FitOptions,
  breather: Breather,
): (order: Uint32Array) => Promise<{ loss: number; accuracy: number | undefined }> {
  const passes = new Passes(network);
  const update = startOptimizer(optimizer, parameters.length);
  const loss = losses[lossName];
  const accuracyOf = rowAccuracies[lossName];
  const dropout = Random.of(seed, "dropout");
  const chunk = new Float64Array(CHUNK_ROWS * width);
  const { outputs: outputWidth } = network;
  const place = lossPlace(loss);

  return async (order) => {
    let lossSum = 0;
    let right = 0;
    for (let batch = 0; batch < count; batch += batchSize) {
      const end = Math.min(batch + batchSize, count);
      passes.gradient.fill(0);
      for (let from = batch; from < end; from += CHUNK_ROWS) {
        const turn = breather.breathe();
        if (turn) await turn;
        const rows = Math.min(CHUNK_ROWS, end - from);
        for (let row = 0; row < rows; row++) {
          const source = (order[from + row] as number) * width;
          for (let i = 0; i < width; i++) chunk[row * width + i] = inputs[source + i] as number;
        }
        const outputs = passes.forward(chunk, rows, dropout);
        const values = lossValues(loss, passes, outputs);
        const derivative = passes.derivativeAt(place);
        for (let row = 0; row < rows; row++) {
          const source = order[from + row] as number;
          const target = source * targetWidth;
          const weight = weights?.[source] ?? 1;
          const at = row * outputWidth;
          lossSum += weight * loss.value(values, at, targets, target, outputWidth);
          if (accuracyOf) right += accuracyOf(outputs, at, targets, target, outputWidth);
          loss.derive(values, at, targets, target, outputWidth, weight / (end - batch), derivative);
        }
        passes.backward(rows, place);
      }
      lossSum += passes.penalize() * (end - batch);
      update(parameters, passes.gradient);
    }
    return { loss: lossSum / count, accuracy: accuracyOf && right / count };
  };
}

/** Remembers the best epoch so far and tells when none better has come for too long. */
function bestEpoch(options: FitOptions["earlyStopping"]) {
  let least = Number.POSITIVE_INFINITY;
  let waited = 0;
  let kept: { figures: EpochFigures; parameters: Float64Array } | undefined;
  return {
    /** @returns whether the training has to end */
    judge: (figures: EpochFigures, parameters: Float64Array): boolean => {
      if (options === undefined) return false;
      const loss = figures.validation?.loss ?? figures.loss;
      if (loss < least - options.minDelta) {
        least = loss;
        waited = 0;
        if (options.restoreBest) kept = { figures, parameters: parameters.slice() };
        return false;
      }
      waited++;
      return waited >= options.patience;
    },
    /** Puts the best epoch's parameters back, where they were kept. @returns its figures */
    restoreTo: (parameters: Float64Array): EpochFigures | undefined => {
      if (kept) parameters.set(kept.parameters);
      return kept?.figures;
    },
  };
}

function requireFinite({ epoch, loss, validation }: EpochFigures): void {
  if (Number.isFinite(loss) && Number.isFinite(validation?.loss ?? 0)) return;
  throw new SlipwayError("E_TRAINING_FAILED", `the training diverged in epoch ${epoch}: its loss is no finite number`, {
    hint: "Lower the learning rate, or standardize the features.",
  });
}
