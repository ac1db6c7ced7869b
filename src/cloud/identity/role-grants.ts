import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { Accounts, Grant } from "./accounts.ts";
import { found, type IdentityContext, selfOf } from "./context.ts";
import { type GrantTerms, grantId, putGrant } from "./grants.ts";
import { collectionBody } from "./listing.ts";
import { demandAdmin, demandReader } from "./policy.ts";
import { roleView } from "./views.ts";

interface Named {
  Params: { target?: string; actor: string; role: string };
}

/** The ways in which a grant is addressed. */
interface Face {
  path: string;
  target: Grant["target"];
  actor: Grant["actor"];
  inherited: boolean;
}

const faces: readonly Face[] = (["user", "group"] as const).flatMap((actor) => [
  ...(["project", "domain"] as const).flatMap((target) => {
    const path = `/${target}s/:target/${actor}s/:actor/roles`;
    return [
      { path: `/v3${path}`, target, actor, inherited: false },
      { path: `/v3/OS-INHERIT${path}`, target, actor, inherited: true },
    ];
  }),
  { path: `/v3/system/${actor}s/:actor/roles`, target: "system" as const, actor, inherited: false },
]);

/** Who has what role where; behind `requireToken`. */
export function grantRoutes(app: FastifyInstance, context: IdentityContext): void {
  for (const face of faces) faceRoutes(app, context, face);
}

function faceRoutes(app: FastifyInstance, context: IdentityContext, face: Face): void {
  const { store, accounts, url } = context;
  const { target, actor, inherited } = face;
  const one = `${face.path}/:role${inherited ? "/inherited_to_projects" : ""}`;
  const many = `${face.path}${inherited ? "/inherited_to_projects" : ""}`;
  const terms = ({ params }: FastifyRequest<Named>): GrantTerms => ({
    ...{ actor, actorId: params.actor, target, inherited },
    ...{ targetId: params.target ?? "all", roleId: params.role },
  });
  const action = (verb: string) =>
    target === "system" ? `${verb.replace("grant", "system_grant")}_for_${actor}` : verb;
  const domainId = ({ params }: FastifyRequest<Named>) => {
    const place = accounts.projects.get(params.target ?? "");
    return place?.isDomain ? place.id : place?.domainId;
  };

  app.get<Named>(many, (request) => {
    const list = target === "system" ? `list_system_grants_for_${actor}` : "list_grants";
    demandReader(request.scope, list, domainId(request));
    const wanted = terms(request);
    demandNamed(accounts, { ...wanted, roleId: "" });
    const held = accounts.roles.list(
      (role) => accounts.grants.get(grantId({ ...wanted, roleId: role.id })) !== undefined,
    );
    const views = held.map((role) => roleView(role, url()));
    return collectionBody("roles", views, selfOf(context, request));
  });
  app.put<Named>(one, (request, reply) => {
    demandAdmin(request.scope, action("create_grant"));
    store.transaction(() => {
      const wanted = terms(request);
      demandNamed(accounts, wanted);
      putGrant(accounts, wanted);
    });
    return reply.code(204).send();
  });
  for (const method of ["GET", "HEAD"] as const) {
    app.route<Named>({
      method,
      url: one,
      handler(request, reply) {
        demandReader(request.scope, action("check_grant"), domainId(request));
        demandNamed(accounts, terms(request));
        demandHeld(accounts, terms(request));
        return reply.code(204).send();
      },
    });
  }
  app.delete<Named>(one, (request, reply) => {
    demandAdmin(request.scope, action("revoke_grant"));
    store.transaction(() => {
      const wanted = terms(request);
      found(accounts.roles.get(wanted.roleId), "role", wanted.roleId);
      accounts.grants.delete(demandHeld(accounts, wanted).id);
      endCredentialsOf(accounts, wanted);
    });
    return reply.code(204).send();
  });
}

/** @throws ApiError 404 for a role, user, group, project or domain that does not exist */
function demandNamed(accounts: Accounts, { actor, actorId, target, targetId, roleId }: GrantTerms): void {
  if (roleId !== "") found(accounts.roles.get(roleId), "role", roleId);
  if (actor === "user") found(accounts.users.get(actorId), "user", actorId);
  else found(accounts.groups.get(actorId), "group", actorId);
  if (target === "system") return;
  const place = accounts.projects.get(targetId);
  found(target === "domain" && !place?.isDomain ? undefined : place, target, targetId);
}

function demandHeld({ grants }: Accounts, wanted: GrantTerms): Grant {
  const grant = grants.get(grantId(wanted));
  if (grant !== undefined) return grant;
  const { roleId, actorId, target, targetId } = wanted;
  const place = target === "system" ? "system" : targetId;
  throw new ApiError(
    404,
    `Could not find role assignment with role: ${roleId}, user or group: ${actorId}, project, domain, or system: ${place}.`,
  );
}

/** Application credentials were made with the roles that their user had: they end with the first of them that is taken. */
function endCredentialsOf(accounts: Accounts, { actor, actorId, target, targetId }: GrantTerms): void {
  if (target !== "project") return;
  const users = actor === "user" ? [actorId] : (accounts.groups.get(actorId)?.userIds ?? []);
  const { applicationCredentials } = accounts;
  for (const { id } of applicationCredentials.list((one) => users.includes(one.userId) && one.projectId === targetId)) {
    applicationCredentials.delete(id);
  }
}
