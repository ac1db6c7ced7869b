import type { AnyLayerKind } from "./layer-kind.ts";
import { activationLayerKinds } from "./layers/activation.ts";
import { convolutionLayerKinds } from "./layers/convolution.ts";
import { coreLayerKinds } from "./layers/core.ts";
import { mergeLayerKinds } from "./layers/merge.ts";
import { normalizationLayerKinds } from "./layers/normalization.ts";
import { poolingLayerKinds } from "./layers/pooling.ts";
import { recurrentLayerKinds } from "./layers/recurrent.ts";
import { shapeLayerKinds } from "./layers/shape.ts";
import { timeDistributed } from "./layers/time-distributed.ts";

const kinds = {
  ...coreLayerKinds,
  ...activationLayerKinds,
  ...shapeLayerKinds,
  ...convolutionLayerKinds,
  ...poolingLayerKinds,
  ...normalizationLayerKinds,
  ...recurrentLayerKinds,
  ...mergeLayerKinds,
};

/** What is converted, by the name of Keras' class. Input layers and models as layers are converted beside it. */
export const layerKinds: ReadonlyMap<string, AnyLayerKind> = new Map(
  Object.entries({ ...kinds, TimeDistributed: timeDistributed(kinds) }),
);
