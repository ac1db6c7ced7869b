import { percentDecoded } from "../http/percent.ts";

/** What a path cannot be read for: bytes that are no UTF-8, over which the real services fail. */
export class UnreadablePath extends Error {}

/**
 * The words of a request's target, `/latest//meta-data/` for one being `latest` and `meta-data`. As Nova gets them through Neutron's
 * agent: decoded, put into an address of the agent's own, which takes a `?` or `#` for the end of the path, and decoded again.
 * @throws UnreadablePath
 */
export function pathWords(target: string): string[] {
  const [path = ""] = target.split("?");
  const [once = ""] = decoded(path).split(/[?#]/);
  const words: string[] = [];
  for (const word of decoded(once).split("/")) {
    if (word === "..") words.pop();
    else if (word !== "" && word !== ".") words.push(word);
  }
  return words;
}

/** Python's `unquote`: what is no percent encoding stays as it is. */
function decoded(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(percentDecoded(path));
  } catch (error) {
    throw new UnreadablePath("the path is no UTF-8", { cause: error });
  }
}
