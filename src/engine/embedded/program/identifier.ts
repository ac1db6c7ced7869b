/** A name as a variable: characters that none may have become `_`, and what is no name of its own gets one before it. */
export function identifierOf(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_$]/g, "_");
  return /^\d/.test(safe) || safe === "" || reserved.has(safe) ? `_${safe}` : safe;
}

/** Words that are no variables in TypeScript's strict mode, and the name that the declarations use themselves. */
const reserved = new Set(
  (
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for " +
    "function if implements import in instanceof interface let new null package private protected public pulumi return static super " +
    "switch this throw true try typeof undefined var void while with yield"
  ).split(" "),
);
