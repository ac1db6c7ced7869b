import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { entryOf, isValid, parseTokens, type TokenEntry } from "./tokens.ts";

/** The tokens that a host knows. */
export interface TokenStore {
  /** The entry of a token that is known and has not expired. */
  find(token: string): TokenEntry | undefined;
  /** The entry of this name, likewise. */
  named(name: string): TokenEntry | undefined;
}

const LOOK_MS = 1000;

/** Tokens that stay as they are. */
export function storeOf(entries: readonly TokenEntry[]): TokenStore {
  return {
    find: (token) => entryOf(token, entries),
    named: (name) => entries.find((entry) => entry.name === name && isValid(entry, Date.now())),
  };
}

/**
 * The tokens of a file, read again within a second or two after it changed. A file that cannot be read any more changes nothing: nobody
 * gets in by breaking it, and nobody who had access is locked out.
 * @throws SlipwayError E_CONFIG_INVALID for a file that cannot be read at the start
 */
export async function openTokenStore(
  path: string,
  log: Pick<Logger, "info" | "error">,
): Promise<TokenStore & { close: () => void }> {
  let text = await textOf(path);
  let store = storeOf(entriesOf(text, path));
  // By its content: neither a file that is replaced nor one that changes twice within a clock's tick is overlooked.
  const look = async () => {
    const found = await textOf(path);
    if (found === text) return;
    text = found;
    store = storeOf(entriesOf(found, path));
    log.info({ path }, "tokens read again");
  };
  let problem: string | undefined;
  const timer = setInterval(() => {
    look().then(
      () => {
        problem = undefined;
      },
      (error: unknown) => {
        if (messageOf(error) !== problem) log.error({ reason: messageOf(error) }, "the tokens stay as they were");
        problem = messageOf(error);
      },
    );
  }, LOOK_MS).unref();
  return {
    find: (token) => store.find(token),
    named: (name) => store.named(name),
    close: () => clearInterval(timer),
  };
}

const refusal = (path: string, error: unknown) =>
  new SlipwayError("E_CONFIG_INVALID", `the tokens file ${path} cannot be used: ${messageOf(error)}`, { cause: error });

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw refusal(path, error);
  }
}

function entriesOf(text: string, path: string): TokenEntry[] {
  try {
    return parseTokens(text);
  } catch (error) {
    throw refusal(path, error);
  }
}
