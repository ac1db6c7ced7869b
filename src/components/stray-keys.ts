/**
 * The paths of keys that a value has and that were not read from it, `a.b.c`: a schema that passes over what it does not know would
 * pass over a slip of the keys.
 * @param read what the schema made of it
 */
export function strayKeys(given: unknown, read: unknown, path: string[] = []): string[] {
  if (typeof given !== "object" || given === null || typeof read !== "object" || read === null) return [];
  return Object.entries(given).flatMap(([key, value]) => {
    const at = [...path, key];
    return Object.hasOwn(read, key) ? strayKeys(value, (read as Record<string, unknown>)[key], at) : [at.join(".")];
  });
}
