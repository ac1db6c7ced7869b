import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError, forbidden } from "../http/api-error.ts";
import { type Document, newId } from "./accounts.ts";
import { found, type IdentityContext, selfOf } from "./context.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { malformed, parsePart } from "./malformed.ts";
import { isAdmin, type Scope } from "./scope.ts";

const createSchema = z
  .looseObject({ blob: z.string(), type: z.string(), user_id: z.string(), project_id: z.string().optional() })
  .refine(
    ({ type, project_id }) => type !== "ec2" || project_id !== undefined,
    "is not valid under any of the given schemas",
  );
const updateSchema = z.strictObject({ blob: z.string() });

interface One {
  Params: { id: string };
}
interface OfUser {
  Params: { user: string; access: string };
}

/** The pair that EC2's and S3's clients sign with. */
interface KeyPair {
  access: string;
  secret: string;
}

/** `/v3/credentials`: secrets that Keystone keeps for users, behind `requireToken`. Nothing in this cloud takes them for a login. */
export function credentialRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, url } = context;
  const { credentials } = accounts;
  const view = (one: Document) => ({ ...one, links: { self: `${url()}/credentials/${one.id}` } });
  const mine = (id: string, scope: Scope, action: string): Document => {
    const credential = credentials.get(id);
    if (credential?.user_id !== scope.userId && !isAdmin(scope)) throw forbidden(`identity:${action}`);
    return found(credential, "credential", id);
  };

  app.get<{ Querystring: Query }>("/v3/credentials", (request) => {
    const { scope, query } = request;
    const seen = credentials.list(({ user_id }) => isAdmin(scope) || user_id === scope.userId).map(view);
    return collectionBody("credentials", filtered(seen, query, ["user_id", "type"]), selfOf(context, request));
  });
  app.post("/v3/credentials", ({ scope, body }, reply) => {
    const asked = parsePart(createSchema, body, "credential");
    if (asked.user_id !== scope.userId && !isAdmin(scope)) throw forbidden("identity:create_credential");
    demandPrimary(scope);
    const id = asked.type === "ec2" ? hashOf(accessIn(asked.blob)) : newId();
    const made = store.transaction(() => {
      if (credentials.get(id) !== undefined) {
        throw new ApiError(409, "Conflict occurred attempting to store credential - Duplicate entry.");
      }
      return credentials.put({ ...asked, id, project_id: asked.project_id ?? null });
    });
    return reply.code(201).send({ credential: view(made) });
  });
  app.get<One>("/v3/credentials/:id", ({ scope, params }) => ({
    credential: view(mine(params.id, scope, "get_credential")),
  }));
  app.patch<One>("/v3/credentials/:id", ({ scope, params, body }) => {
    const asked = parsePart(updateSchema, body, "credential");
    const changed = store.transaction(() =>
      credentials.put({ ...mine(params.id, scope, "update_credential"), blob: asked.blob }),
    );
    return { credential: view(changed) };
  });
  app.delete<One>("/v3/credentials/:id", ({ scope, params }, reply) => {
    credentials.delete(mine(params.id, scope, "delete_credential").id);
    return reply.code(204).send();
  });
  ec2Routes(app, context);
}

function ec2Routes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, url } = context;
  const { credentials } = accounts;
  const path = "/v3/users/:user/credentials/OS-EC2";
  const view = ({ user_id, project_id, blob }: Document) => {
    const { access, secret } = JSON.parse(String(blob)) as KeyPair;
    const self = `${url()}/users/${user_id}/credentials/OS-EC2/${access}`;
    return { user_id, tenant_id: project_id, access, secret, trust_id: null, links: { self } };
  };
  const demandOwner = (scope: Scope, { user }: { user: string }, action: string) => {
    if (user !== scope.userId && !isAdmin(scope)) throw forbidden(`identity:${action}`);
    demandPrimary(scope);
    found(accounts.users.get(user), "user", user);
  };
  const one = ({ user, access }: OfUser["Params"]): Document => {
    const id = hashOf(access);
    const credential = credentials.get(id);
    return found(credential?.user_id === user ? credential : undefined, "credential", id);
  };

  app.get<OfUser>(path, (request) => {
    demandOwner(request.scope, request.params, "ec2_list_credentials");
    const own = credentials.list(({ user_id, type }) => user_id === request.params.user && type === "ec2");
    return collectionBody("credentials", own.map(view), selfOf(context, request));
  });
  app.post<OfUser>(path, ({ scope, params, body }, reply) => {
    demandOwner(scope, params, "ec2_create_credential");
    const { tenant_id = null } = (body ?? {}) as { tenant_id?: string | null };
    found(accounts.projects.get(String(tenant_id)), "project", String(tenant_id));
    const pair: KeyPair = { access: newId(), secret: newId() };
    const blob = JSON.stringify({ ...pair, trust_id: null });
    const owner = { user_id: params.user, project_id: tenant_id };
    const made = store.transaction(() => credentials.put({ id: hashOf(pair.access), ...owner, type: "ec2", blob }));
    return reply.code(201).send({ credential: view(made) });
  });
  app.get<OfUser>(`${path}/:access`, ({ scope, params }) => {
    demandOwner(scope, params, "ec2_get_credential");
    return { credential: view(one(params)) };
  });
  app.delete<OfUser>(`${path}/:access`, ({ scope, params }, reply) => {
    demandOwner(scope, params, "ec2_delete_credential");
    credentials.delete(one(params).id);
    return reply.code(204).send();
  });
}

/** A program with an application credential gets at no other secret. */
function demandPrimary({ applicationCredential }: Scope): void {
  if (applicationCredential === undefined) return;
  throw forbidden("Delegated tokens cannot access credentials directly");
}

function accessIn(blob: string): string {
  let pair: unknown;
  try {
    pair = JSON.parse(blob);
  } catch {
    throw new ApiError(400, "Invalid blob in credential");
  }
  const access = (pair as Partial<KeyPair> | null)?.access;
  if (typeof access !== "string") throw malformed("Expecting to find access in credential.");
  return access;
}

const hashOf = (access: string) => createHash("sha256").update(access).digest("hex");
