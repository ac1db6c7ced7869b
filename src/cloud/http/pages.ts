import { reasonPhrase } from "./reasons.ts";

/**
 * The page that WebOb makes of a refusal, which those services answer that have no form of their own for it.
 * @param detail what stands below it, of those that tell one
 */
export function webobPage(status: number, words: string, detail = ""): string {
  const title = `${status} ${reasonPhrase[status] ?? "Error"}`;
  return `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n  ${escaped(words)}<br /><br />\n${escaped(detail)}\n\n\n </body>\n</html>`;
}

/** Python's `html.escape`. */
export function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
  return text.replace(/[&<>"']/g, (one) => entities[one] ?? one);
}
