import { createHash, randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { now } from "../clock/clock.ts";
import { ApiError, unauthorized } from "../http/api-error.ts";
import type { Collection, Store } from "../store/store.ts";
import { isAllowed } from "./access-rules.ts";
import type { Accounts } from "./accounts.ts";
import { liveScope, type TokenGrounds } from "./live-scope.ts";
import type { Scope } from "./scope.ts";

/** A token as it is kept: by the hash of its text, so that the state file holds no usable token. */
interface StoredToken extends TokenGrounds {
  id: string;
  methods: string[];
  /** Its own, and that of the first token where it was made from one. */
  auditIds: string[];
  /** Milliseconds since 1970. */
  issuedAt: number;
  expiresAt: number;
}

/** A valid token, with what it allows by now. */
export interface TokenRecord extends StoredToken {
  scope: Scope;
}

/** How a token came to be. */
interface Issue {
  grounds: TokenGrounds;
  methods: string[];
  /** The end of the token that this one was made from: a renewed token lives no longer. */
  notAfter?: number;
  /** The audit id of the first token of the chain. */
  chainAuditId?: string;
}

const idOf = (token: string) => createHash("sha256").update(token).digest("hex");

/** How often tokens that ended are looked for. */
const sweepIntervalMs = 60_000;

/** Issues tokens and says what they are worth. Tokens survive a restart of the cloud. */
export class Tokens {
  readonly #records: Collection<StoredToken>;
  readonly #accounts: Accounts;
  readonly #lifetimeMs: number;
  /** What tokens allowed at the last change of the tables. */
  readonly #scopes = new Map<string, Scope | undefined>();
  #scopesAt = -1;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(store: Store, accounts: Accounts, lifetimeMs: number) {
    this.#records = store.collection("token");
    this.#accounts = accounts;
    this.#lifetimeMs = lifetimeMs;
  }

  /** @throws ApiError 401 where the user may not work there */
  issue({ grounds, methods, notAfter = Number.POSITIVE_INFINITY, chainAuditId }: Issue): {
    token: string;
    record: TokenRecord;
  } {
    const scope = liveScope(this.#accounts, grounds);
    if (scope === undefined) throw unauthorized();
    const issuedAt = now();
    this.#sweep(issuedAt);
    const token = `gAAAAA${randomBytes(48).toString("base64url")}`;
    const auditId = randomBytes(16).toString("base64url");
    const record = this.#records.put({
      id: idOf(token),
      ...grounds,
      methods,
      auditIds: chainAuditId === undefined ? [auditId] : [auditId, chainAuditId],
      issuedAt,
      expiresAt: Math.min(issuedAt + this.#lifetimeMs, notAfter),
    });
    return { token, record: { ...record, scope } };
  }

  /** The token's record while it is valid, else undefined. */
  find(token: string | undefined): TokenRecord | undefined {
    if (token === undefined) return undefined;
    const record = this.#records.get(idOf(token));
    if (record === undefined || record.expiresAt <= now()) return undefined;
    const scope = this.#scopeOf(record);
    return scope === undefined ? undefined : { ...record, scope };
  }

  revoke(token: string): void {
    this.#records.delete(idOf(token));
  }

  /** Revokes what leads into a project or domain: after its end, and while nobody may work in it. */
  revokePlace(id: string): void {
    this.#revokeWhere(({ target }) => "id" in target && target.id === id);
  }

  /** Revokes what a user got: after a new password, and the user's end. */
  revokeUser(userId: string): void {
    this.#revokeWhere((record) => record.userId === userId);
  }

  /** Revokes what an application credential got. */
  revokeOf(applicationCredentialId: string): void {
    this.#revokeWhere((record) => record.applicationCredentialId === applicationCredentialId);
  }

  #revokeWhere(where: (record: StoredToken) => boolean): void {
    for (const { id } of this.#records.list(where)) this.#records.delete(id);
  }

  #scopeOf(record: StoredToken): Scope | undefined {
    const { count } = this.#accounts.changes;
    if (this.#scopesAt !== count) {
      this.#scopes.clear();
      this.#scopesAt = count;
    }
    if (!this.#scopes.has(record.id)) this.#scopes.set(record.id, liveScope(this.#accounts, record));
    return this.#scopes.get(record.id);
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < sweepIntervalMs) return;
    this.#sweptAt = now;
    this.#scopes.clear();
    this.#revokeWhere((record) => record.expiresAt < now);
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
export function mayAsk(
  scope: Scope,
  { method, url }: Pick<FastifyRequest, "method" | "url">,
  service: string,
): boolean {
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
