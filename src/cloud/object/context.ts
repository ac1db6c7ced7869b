import type { FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { Tokens } from "../identity/tokens.ts";
import type { Store } from "../store/store.ts";
import type { Caller } from "./acl.ts";
import type { ObjectTables } from "./records.ts";

export interface ObjectOptions {
  store: Store;
  tables: ObjectTables;
  tokens: Tokens;
  /** Folder for the objects' contents. */
  folder: string;
  log: (line: string) => void;
}

/** What the routes of accounts, containers and objects share. */
export interface ObjectContext extends ObjectOptions {
  /** Whose token the request carries; a token that is not valid is refused, none is anonymous. */
  caller: (request: FastifyRequest) => Caller;
}

/** `AUTH_<project id>` of a path. */
export function projectOfAccount(account: string): string {
  const match = /^AUTH_(.+)$/.exec(account);
  if (match?.[1] === undefined) throw notFound();
  return match[1];
}

export function notFound(): ApiError {
  return new ApiError(404, "The resource could not be found.");
}

/** Without a token one is asked to log in; with one that does not suffice one is refused. */
export function refuse(caller: Caller): ApiError {
  return caller === undefined
    ? new ApiError(401, "This server could not verify that you are authorized to access the document you requested.")
    : new ApiError(403, "Access was denied to this resource.");
}
