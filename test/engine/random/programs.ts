import fc from "fast-check";
import type { InlineResource } from "../support/inline-program.ts";
import type { Fault } from "./toy-cloud.ts";

/** What a random program registers for one of its resources. */
export interface Wanted {
  /** The logical name. */
  name: string;
  /** The cloud is told this name: the resource is deleted before it is replaced. */
  hasGivenName: boolean;
  value: number;
  fixed: number;
  /** Logical names of earlier resources whose ids are among its properties. */
  takes: string[];
  /** Logical names of earlier resources that it is only ordered after. */
  after: string[];
  /** The component that it hangs from, or none. */
  component: string | undefined;
  /** The program's own word on the order of a replacement. */
  deleteBeforeReplace: boolean | undefined;
}

/** The name that the cloud is told. A resource that moves into a component gets another URN: both exist for a while. */
export function givenName({ name, component }: Wanted): string {
  return component === undefined ? name : `grouped.${name}`;
}

/** A program as the list of what it registers; whatever one takes stands before it. */
export type RandomProgram = Wanted[];

/** What is registered for a wanted resource. */
export function inlineResource(wanted: Wanted): InlineResource {
  const { name, value, fixed, takes, after, component, deleteBeforeReplace, hasGivenName } = wanted;
  const inputs = { value, fixed, takes: takes.map((idOf) => ({ idOf })) };
  return {
    type: "toy:index:Thing",
    name,
    inputs: hasGivenName ? { ...inputs, name: givenName(wanted) } : inputs,
    component,
    after,
    deleteBeforeReplace,
  };
}

/** One run of a program: what goes wrong at which of its changing calls. */
export interface RandomRun {
  program: RandomProgram;
  faults: [number, Fault][];
  parallel: number;
}

const names = ["ada", "bob", "cyd", "dan", "eve", "fay", "gus"];
const components = ["left", "right"];

const wanted = (name: string, earlier: string[]): fc.Arbitrary<Wanted> =>
  fc.record({
    name: fc.constant(name),
    hasGivenName: fc.boolean(),
    value: fc.integer({ min: 1, max: 3 }),
    fixed: fc.integer({ min: 1, max: 2 }),
    takes: fc.subarray(earlier, { maxLength: Math.min(2, earlier.length) }),
    after: fc.subarray(earlier, { maxLength: Math.min(1, earlier.length) }),
    component: fc.option(fc.constantFrom(...components), { nil: undefined, freq: 3 }),
    deleteBeforeReplace: fc.constantFrom(undefined, undefined, true),
  });

/** Programs over one small set of names, so that two of them differ by what was added, removed, changed and rewired. */
export const randomProgram: fc.Arbitrary<RandomProgram> = fc
  .shuffledSubarray(names, { minLength: 1 })
  .chain((chosen) => fc.tuple(...chosen.map((name, index) => wanted(name, chosen.slice(0, index)))));

const fault = fc.constantFrom<Fault>("refused", "half done", "answer lost", "killed before", "killed after");

/** A few runs in a row, most of them with something that goes wrong. */
export const randomHistory: fc.Arbitrary<RandomRun[]> = fc.array(
  fc.record({
    program: randomProgram,
    faults: fc.uniqueArray(fc.tuple(fc.nat({ max: 12 }), fault), { maxLength: 2, selector: ([at]) => at }),
    parallel: fc.constantFrom(1, 2, 8),
  }),
  { minLength: 1, maxLength: 4 },
);
