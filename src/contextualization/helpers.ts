/** Quotes for POSIX sh: one word, whatever the text. Throws for text that no argument can hold (a NUL). */
export function quoteForShell(value: unknown): string {
  const text = scalarText(value);
  if (text.includes("\0")) throw new Error("a NUL cannot be passed to sh");
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A YAML flow value that YAML 1.1 (cloud-init's PyYAML) and 1.2 read back as given: strings always double-quoted, everything outside
 * printable ASCII escaped, since PyYAML folds U+0085, U+2028 and U+2029 as line breaks.
 */
export function toYaml(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.toWellFormed()).replace(/[^ -~]/gu, escapeForYaml);
  }
  if (Array.isArray(value)) return `[${value.map(toYaml).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${toYaml(key)}: ${toYaml(item)}`)
      .join(", ")}}`;
  }
  return toJson(value);
}

/** JSON on one line. Throws for what JSON has no word for. */
export function toJson(value: unknown): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined || (typeof value === "number" && !Number.isFinite(value))) {
    throw new Error(`${String(value)} cannot be written as JSON`);
  }
  return text;
}

/** The text with `width` spaces before each line that is not empty. */
export function indentLines(text: string, width: number): string {
  return text.replace(/^(?=.)/gm, " ".repeat(width));
}

function scalarText(value: unknown): string {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new Error(`${toJson(value)} is not one word`);
}

function escapeForYaml(character: string): string {
  const code = character.codePointAt(0) as number;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
