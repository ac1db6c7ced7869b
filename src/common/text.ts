/** The text, or its beginning where it is longer than so many characters. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** A caller's value in a message. Lists and objects are not written out: they may be nested deeper than anything that walks them can follow. */
export function described(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return shortened(JSON.stringify(value) ?? String(value), 40);
}
