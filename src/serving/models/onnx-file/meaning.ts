import type { RowForm } from "../card.ts";
import type { OnnxOutline, Operator } from "./inspect.ts";

/** Operators that hand on what they get, at most in another shape or type. */
const HANDS_ON = new Set(["Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"]);

/** What the numbers of a graph's first output mean, by the operator that makes them. Undefined where that cannot be told. */
export function meaningOf({ graph }: OnnxOutline): RowForm["output"]["kind"] | undefined {
  const maker = makerOf(graph.operators, graph.outputs[0]);
  if (maker === undefined) return undefined;
  if (maker.domain !== "" && maker.domain !== "ai.onnx") return undefined;
  if (maker.type === "Softmax") return "classes";
  return maker.type === "Sigmoid" ? "binary" : "values";
}

function makerOf(operators: readonly Operator[], output: string | undefined): Operator | undefined {
  const makers = new Map(operators.flatMap((operator) => operator.outputs.map((name) => [name, operator] as const)));
  let maker = output === undefined ? undefined : makers.get(output);
  for (let steps = 0; maker !== undefined && HANDS_ON.has(maker.type) && steps < operators.length; steps++) {
    const before: Operator | undefined = makers.get(maker.inputs[0] ?? "");
    if (before === undefined) break;
    maker = before;
  }
  return maker;
}
