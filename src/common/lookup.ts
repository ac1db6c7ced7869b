/**
 * A table of values by name that users' texts are looked up in: it holds nothing under the names that every object has (`constructor`,
 * `__proto__`), and takes whatever name is put into it as one.
 */
export function lookup<T>(entries: Record<string, T> = {}): Record<string, T> {
  return Object.assign(Object.create(null), entries) as Record<string, T>;
}
