import { createHash, randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { now } from "../clock/clock.ts";
import { ApiError, unauthorized } from "../http/api-error.ts";
import type { Collection, Store } from "../store/store.ts";
import { isAllowed } from "./access-rules.ts";
import type { Scope } from "./scope.ts";

/** A token as it is kept: by the hash of its text, so that the state file holds no usable token. */
export interface TokenRecord {
  id: string;
  scope: Scope;
  methods: string[];
  auditId: string;
  issuedAt: number;
  expiresAt: number;
}

const idOf = (token: string) => createHash("sha256").update(token).digest("hex");

/** Issues tokens and says what they are worth. Tokens survive a restart of the cloud. */
export class Tokens {
  readonly #records: Collection<TokenRecord>;
  readonly #lifetimeMs: number;

  constructor(store: Store, lifetimeMs: number) {
    this.#records = store.collection("token");
    this.#lifetimeMs = lifetimeMs;
  }

  /** @param notAfter the end of the token that this one was made from: a renewed token lives no longer */
  issue(scope: Scope, methods: string[], notAfter = Number.POSITIVE_INFINITY): { token: string; record: TokenRecord } {
    const issuedAt = now();
    for (const old of this.#records.list((record) => record.expiresAt < issuedAt)) this.#records.delete(old.id);
    const token = `gAAAAA${randomBytes(48).toString("base64url")}`;
    const record = this.#records.put({
      id: idOf(token),
      scope,
      methods,
      auditId: randomBytes(16).toString("base64url"),
      issuedAt,
      expiresAt: Math.min(issuedAt + this.#lifetimeMs, notAfter),
    });
    return { token, record };
  }

  /** The token's record while it is valid, else undefined. */
  find(token: string | undefined): TokenRecord | undefined {
    if (token === undefined) return undefined;
    const record = this.#records.get(idOf(token));
    return record !== undefined && record.expiresAt > now() ? record : undefined;
  }

  revoke(token: string): void {
    this.#records.delete(idOf(token));
  }

  /** Revokes what an application credential got. */
  revokeOf(applicationCredentialId: string): void {
    const own = ({ scope }: TokenRecord) => scope.applicationCredential?.id === applicationCredentialId;
    for (const { id } of this.#records.list(own)) this.#records.delete(id);
  }

  /** Revokes what leads into a project: after its end, and while nobody may work in it. */
  revokeProject(projectId: string): void {
    for (const { id } of this.#records.list(({ scope }) => scope.project?.id === projectId)) this.#records.delete(id);
  }

  /** Revokes what a user got: after a new password, other roles, and the user's end. */
  revokeUser(userId: string): void {
    for (const { id } of this.#records.list(({ scope }) => scope.userId === userId)) this.#records.delete(id);
  }
}

/** The text of a header that may be sent once. */
export function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/**
 * A hook that lets only requests pass with a valid token whose access rules allow them.
 * @param service catalogue type; all but Keystone also demand a project
 */
export function requireToken(tokens: Tokens, service: string): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const record = tokens.find(header(request, "x-auth-token"));
    if (record === undefined || !mayAsk(record.scope, request, service)) throw unauthorized();
    if (service !== "identity") projectOf(record.scope);
    request.scope = record.scope;
  };
}

/** Whether the token's access rules, if it has some, allow the request. A token may always be shown: services ask Keystone what it is worth. */
export function mayAsk(scope: Scope, { method, url }: FastifyRequest, service: string): boolean {
  const [path = ""] = url.split("?");
  const below = path.replace(/^\/[^/]+/, "");
  const showsToken = service === "identity" && method === "GET" && below === "/v3/auth/tokens";
  return showsToken || isAllowed(scope, service, method, below);
}

/** The project that a scoped request works in. */
export function projectOf(scope: Scope): { id: string; name: string } {
  if (scope.project === undefined) throw new ApiError(403, "This request needs a token that is scoped to a project.");
  return scope.project;
}
