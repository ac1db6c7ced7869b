/** How a function model differs from a good one. All of it is the text of a module. */
export interface Traits {
  /** Statements before the answer, in the function; `n` is its argument. */
  before?: string;
  /** Statements of the module, run when it is loaded. */
  module?: string;
  /** Body of `load`, awaited before the first call. */
  load?: string;
  /** Fields of the answer, in place of `n, by`. */
  answer?: string;
}

/** True on the stack's host, false where the model is imported: there every model must seem good. */
const prelude = `import { hostname } from "node:os";
const onHost = hostname().startsWith("server-g");
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
`;

/** The golden question's argument: what a gate asks. The load's questions are others. */
const GOLDEN = 1;

/** A model that answers with its argument and its own name, so that every answer tells who gave it. */
export function moduleText(
  name: string,
  { before = "", module = "", load = "", answer = "n, by" }: Traits = {},
): string {
  return `${prelude}
const by = ${JSON.stringify(name)};
${module}
export async function load() { ${load} }
export async function answer(n: number) { ${before} return { ${answer} }; }
export const concurrency = 64;
export const schema = {
  arguments: { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false },
  result: { type: "object" },
};
export const golden = [{ arguments: { n: ${GOLDEN} }, result: { n: ${GOLDEN}, by } }];
`;
}

/** The body of a question by tensors, and the model that answered: for {@link moduleText}'s models. */
export const question = {
  bodyOf: (number: number) =>
    JSON.stringify({
      inputs: [{ name: "arguments", datatype: "BYTES", shape: [1], data: [JSON.stringify({ n: numberOf(number) })] }],
    }),
  modelOf(answer: string, number: number): string {
    const { outputs } = JSON.parse(answer) as { outputs: { data: string[] }[] };
    const { n, by } = JSON.parse(outputs[0]?.data[0] ?? "{}") as { n?: number; by?: string };
    if (n !== numberOf(number) || by === undefined) throw new Error(`${numberOf(number)} was asked: ${answer}`);
    return by;
  },
};

const numberOf = (number: number) => GOLDEN + 1 + number;
