/** How weights are updated; Keras' names, rules and defaults. Whatever a rule needs is given: defaults are the schema's. */
export type OptimizerOptions =
  | { name: "adam"; learningRate: number; beta1: number; beta2: number; epsilon: number }
  | { name: "sgd"; learningRate: number; momentum: number; nesterov: boolean }
  | { name: "rmsprop"; learningRate: number; rho: number; momentum: number; epsilon: number }
  | { name: "adadelta"; learningRate: number; rho: number; epsilon: number };

/** Changes the parameters by one step against the gradient. */
type Optimizer = (parameters: Float64Array, gradient: Float64Array) => void;

/** An optimizer at its start, for this many parameters. The rules are those of keras.optimizers in Keras 3. */
export function startOptimizer(options: OptimizerOptions, count: number): Optimizer {
  switch (options.name) {
    case "adam":
      return adam(options, count);
    case "sgd":
      return sgd(options, count);
    case "rmsprop":
      return rmsprop(options, count);
    case "adadelta":
      return adadelta(options, count);
  }
}

type OptionsOf<Name extends OptimizerOptions["name"]> = Extract<OptimizerOptions, { name: Name }>;

/** Kingma and Ba, Adam: a method for stochastic optimization (2015), in the form before its section 2.1: ε beside √v without correction. */
function adam({ learningRate, beta1, beta2, epsilon }: OptionsOf<"adam">, count: number): Optimizer {
  const means = new Float64Array(count);
  const squares = new Float64Array(count);
  let power1 = 1; // β₁ᵗ and β₂ᵗ by products: Math.pow rounds differently on different systems
  let power2 = 1;
  return (parameters, gradient) => {
    power1 *= beta1;
    power2 *= beta2;
    const step = (learningRate * Math.sqrt(1 - power2)) / (1 - power1);
    for (let i = 0; i < count; i++) {
      const g = gradient[i] as number;
      const mean = (means[i] as number) + (g - (means[i] as number)) * (1 - beta1);
      const square = (squares[i] as number) + (g * g - (squares[i] as number)) * (1 - beta2);
      means[i] = mean;
      squares[i] = square;
      parameters[i] = (parameters[i] as number) - (step * mean) / (Math.sqrt(square) + epsilon);
    }
  };
}

function sgd({ learningRate, momentum, nesterov }: OptionsOf<"sgd">, count: number): Optimizer {
  const velocities = new Float64Array(momentum === 0 ? 0 : count);
  return (parameters, gradient) => {
    for (let i = 0; i < count; i++) {
      const push = -learningRate * (gradient[i] as number);
      if (momentum === 0) {
        parameters[i] = (parameters[i] as number) + push;
        continue;
      }
      const velocity = momentum * (velocities[i] as number) + push;
      velocities[i] = velocity;
      parameters[i] = (parameters[i] as number) + (nesterov ? momentum * velocity + push : velocity);
    }
  };
}

function rmsprop({ learningRate, rho, momentum, epsilon }: OptionsOf<"rmsprop">, count: number): Optimizer {
  const squares = new Float64Array(count);
  const velocities = new Float64Array(momentum === 0 ? 0 : count);
  return (parameters, gradient) => {
    for (let i = 0; i < count; i++) {
      const g = gradient[i] as number;
      const square = rho * (squares[i] as number) + (1 - rho) * g * g;
      squares[i] = square;
      let step = (learningRate * g) / Math.sqrt(square + epsilon);
      if (momentum !== 0) {
        step += momentum * (velocities[i] as number);
        velocities[i] = step;
      }
      parameters[i] = (parameters[i] as number) - step;
    }
  };
}

/** Zeiler, ADADELTA: an adaptive learning rate method (2012). */
function adadelta({ learningRate, rho, epsilon }: OptionsOf<"adadelta">, count: number): Optimizer {
  const squares = new Float64Array(count);
  const steps = new Float64Array(count);
  return (parameters, gradient) => {
    for (let i = 0; i < count; i++) {
      const g = gradient[i] as number;
      const square = rho * (squares[i] as number) + (1 - rho) * g * g;
      squares[i] = square;
      const step = (-Math.sqrt((steps[i] as number) + epsilon) * g) / Math.sqrt(square + epsilon);
      steps[i] = rho * (steps[i] as number) + (1 - rho) * step * step;
      parameters[i] = (parameters[i] as number) + learningRate * step;
    }
  };
}
