import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { ModelCard, TensorSpec } from "./card.ts";
import type { FunctionForm } from "./function/form.ts";

/**
 * What one model's clients ask and another would refuse, in words, one each; empty where whoever asks the one can ask the other.
 * A tensor that takes more than before (a dimension that is free now) refuses nobody.
 */
export function newDemands(live: ModelCard, next: ModelCard): string[] {
  const demands = live.inputs.flatMap((before) => {
    const now = next.inputs.find(({ name }) => name === before.name);
    if (now === undefined) return [`input ${before.name} (${formOf(before)}) is not taken any more`];
    return takes(now, before) ? [] : [`input ${before.name} is ${formOf(now)}, and was ${formOf(before)}`];
  });
  for (const now of next.inputs) {
    if (live.inputs.some(({ name }) => name === now.name)) continue;
    demands.push(`input ${now.name} (${formOf(now)}) is asked for, and was not`);
  }
  const [columns, others] = [live.rows?.input.columns, next.rows?.input.columns];
  if (live.rows && !next.rows) demands.push("rows are not taken any more");
  // rows are numbers by their places: under other names they mean something else
  else if (columns && others && !isDeepStrictEqual(columns, others)) {
    demands.push(`a row's columns are ${others.join(", ")}, and were ${columns.join(", ")}`);
  }
  if (live.function && next.function) demands.push(...newArguments(live.function, next.function));
  for (const { name } of live.outputs) {
    if (!next.outputs.some((output) => output.name === name)) demands.push(`output ${name} is not answered any more`);
  }
  return demands;
}

/** As far as JSON Schemas tell it by the names and types of an object's properties. */
function newArguments(live: FunctionForm, next: FunctionForm): string[] {
  const [before, now] = [argumentsOf(live), argumentsOf(next)];
  const demands = [...now.required]
    .filter((name) => !before.required.has(name))
    .map((name) => `argument ${name} is asked for, and was not`);
  for (const [name, type] of before.types) {
    const other = now.types.get(name);
    if (now.types.has(name)) {
      if (other !== undefined && !isDeepStrictEqual(other, type)) {
        demands.push(`argument ${name} is of type ${JSON.stringify(other)}, and was ${JSON.stringify(type)}`);
      }
    } else if (now.closed) demands.push(`argument ${name} is not taken any more`);
  }
  return demands;
}

const argumentsSchema = z.object({
  properties: z.record(z.string(), z.unknown()).default({}),
  required: z.array(z.string()).default([]),
  additionalProperties: z.unknown(),
});
const typedSchema = z.object({ type: z.unknown() });

function argumentsOf({ parameters = [], schema }: FunctionForm) {
  const { properties, required, additionalProperties } = argumentsSchema.catch(nothing).parse(schema.arguments);
  return {
    required: new Set([...required, ...parameters.flatMap(({ name, optional }) => (optional ? [] : [name]))]),
    types: new Map(Object.entries(properties).map(([name, one]) => [name, typedSchema.safeParse(one).data?.type])),
    closed: additionalProperties === false,
  };
}

/** Of a schema that is none of an object with properties. */
const nothing = { properties: {}, required: [], additionalProperties: undefined };

/** Whether a tensor takes whatever another one did. */
function takes({ datatype, shape }: TensorSpec, before: TensorSpec): boolean {
  if (datatype !== before.datatype || shape.length !== before.shape.length) return false;
  return shape.every((size, axis) => size === -1 || size === before.shape[axis]);
}

function formOf({ datatype, shape }: TensorSpec): string {
  return `${datatype} [${shape.join(", ")}]`;
}
