import type { FastifyRequest } from "fastify";
import type { Tokens } from "../identity/tokens.ts";
import type { Store } from "../store/store.ts";
import type { Caller } from "./caller.ts";
import type { Expirer } from "./expirer.ts";
import type { ObjectTables } from "./records.ts";
import { notFound } from "./refusals.ts";

export interface ObjectOptions {
  store: Store;
  tables: ObjectTables;
  tokens: Tokens;
  /** Folder for the objects' contents. */
  folder: string;
  /** The domain of a project. */
  domainOf: (projectId: string) => string;
  log: (line: string) => void;
}

/** What the routes of accounts, containers and objects share. */
export interface ObjectContext extends ObjectOptions {
  expirer: Expirer;
  /**
   * Who asks. A token that is not valid is none, as in Swift; a temporary URL that is not valid is refused with 401.
   * @param as the request that an application credential must be for, where it is not this one
   */
  caller: (request: FastifyRequest, as?: Pick<FastifyRequest, "method" | "url">) => Caller;
}

/** `AUTH_<project id>` of a path. */
export function projectOfAccount(account: string): string {
  const match = /^AUTH_(.+)$/.exec(account);
  if (match?.[1] === undefined) throw notFound();
  return match[1];
}
