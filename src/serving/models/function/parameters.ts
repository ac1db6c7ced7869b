/** A parameter as a function's own text declares it. */
export interface Parameter {
  name: string;
  /** Whether it has a default, or takes the rest. */
  optional: boolean;
}

/** One parameter of this name is given the whole object. */
const WHOLE = /^(args|arguments_|input|inputs|kwargs|params|data|request|options)$/;
const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/**
 * The names of a function's parameters, by its text as `toString` gives it. Undefined for a function that takes one object: it has a
 * single parameter that is taken apart in place, or that is named as such (`args`, `input`, …).
 * @throws Error where a keyword cannot be told for a parameter
 */
export function keywordParameters(text: string): Parameter[] | undefined {
  const parts = splitTop(parameterList(text));
  const [first] = parts;
  if (parts.length === 1 && first !== undefined && (/^[{[]/.test(first) || WHOLE.test(first))) return undefined;
  return parts.map((part) => {
    const [name = "", fallback] = splitDefault(part);
    if (!NAME.test(name)) throw new Error(`the parameter ${part} has no name: take one object, or name all parameters`);
    return { name, optional: fallback !== undefined };
  });
}

/** The arguments in the parameters' order, from an object that names them. @returns a text that says what is wrong instead */
export function positionalArguments(parameters: readonly Parameter[], given: unknown): unknown[] | string {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return `the arguments are no object with ${parameters.map(({ name }) => name).join(", ") || "nothing in it"}`;
  }
  const object = given as Record<string, unknown>;
  for (const key of Object.keys(object)) {
    if (!parameters.some(({ name }) => name === key)) return `there is no parameter ${key}`;
  }
  for (const { name, optional } of parameters) {
    if (!optional && !Object.hasOwn(object, name)) return `the parameter ${name} is missing`;
  }
  return parameters.map(({ name }) => (Object.hasOwn(object, name) ? object[name] : undefined));
}

/** What stands between a function's parentheses; its one parameter where an arrow has none. */
function parameterList(text: string): string {
  const code = text.replace(/^async\b\s*/, "");
  const bare = /^([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=>/u.exec(code);
  if (bare) return bare[1] as string;
  const open = code.indexOf("(");
  const end = closing(code, open);
  if (open === -1 || end === -1) throw new Error("the function's parameters cannot be read");
  return code.slice(open + 1, end);
}

function splitDefault(part: string): [string, string | undefined] {
  const at = topLevel(part, (text, index) => text[index] === "=" && text[index + 1] !== ">")[0];
  return at === undefined ? [part, undefined] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
}

function splitTop(list: string): string[] {
  const commas = topLevel(list, (text, index) => text[index] === ",");
  const ends = [...commas, list.length];
  return ends
    .map((end, index) => withoutComments(list.slice(index === 0 ? 0 : (commas[index - 1] as number) + 1, end)).trim())
    .filter((part) => part !== "");
}

function withoutComments(part: string): string {
  return part.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "");
}

/** The place of the bracket that closes the one at `open`; -1 where there is none. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (const index of significant(text, open)) {
    const character = text[index] as string;
    if ("([{".includes(character)) depth++;
    if (")]}".includes(character) && --depth === 0) return index;
  }
  return -1;
}

/** Places outside of all brackets, texts and comments that a test finds. */
function topLevel(text: string, test: (text: string, index: number) => boolean): number[] {
  const found: number[] = [];
  let depth = 0;
  for (const index of significant(text, 0)) {
    const character = text[index] as string;
    if ("([{".includes(character)) depth++;
    else if (")]}".includes(character)) depth--;
    else if (depth === 0 && test(text, index)) found.push(index);
  }
  return found;
}

/** The places of the characters that are not in a text or a comment. */
function* significant(text: string, from: number): Generator<number> {
  for (let index = from; index < text.length; index++) {
    const character = text[index] as string;
    if (character === "/" && text[index + 1] === "*") {
      const end = text.indexOf("*/", index + 2);
      index = end === -1 ? text.length : end + 1;
    } else if (character === "/" && text[index + 1] === "/") {
      const end = text.indexOf("\n", index);
      index = end === -1 ? text.length : end;
    } else if ("\"'`".includes(character)) {
      let end = index + 1;
      while (end < text.length && text[end] !== character) end += text[end] === "\\" ? 2 : 1;
      index = end;
    } else yield index;
  }
}
