const dense = (name: string, units: number, activation: string) => ({
  class_name: "Dense",
  config: { name, units, activation },
});

/** Trainings that have a name: what a specification says of them. */
export const knownSpecs = {
  /** SNIC's network for rows of two classes, and its 150 epochs; features are scaled, without which it may learn nothing. */
  snic: {
    kind: "network",
    network: {
      class_name: "Sequential",
      config: {
        name: "snic",
        layers: [dense("hidden_1", 12, "relu"), dense("hidden_2", 8, "relu"), dense("probability", 1, "sigmoid")],
      },
    },
    loss: "binary_crossentropy",
    epochs: 150,
    batchSize: 10,
    standardize: true,
  },
} as const satisfies Record<string, object>;
