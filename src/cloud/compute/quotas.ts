import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { demandAdmin } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { defaultClass, defaultLimits, type Limits, limitsOf, type QuotaName, quotas, usage } from "./quota-limits.ts";
import { boolean, maxInt } from "./schema-types.ts";

const limit = z
  .unknown()
  .superRefine((value, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if (typeof value !== "string" && !Number.isInteger(value)) {
      refuse(`${pythonRepr(value)} is not of type 'integer', 'string'`);
    } else if (!/^-?[0-9]+$/.test(String(value))) refuse(`${pythonRepr(value)} does not match '^-?[0-9]+$'`);
    else if (Number(value) < -1) refuse(`${Number(value)} is less than the minimum of -1`);
    else if (Number(value) > maxInt) refuse(`${Number(value)} is greater than the maximum of ${maxInt}`);
  })
  .transform(Number)
  .optional();

const proxied: QuotaName[] = ["fixed_ips", "floating_ips", "security_groups", "security_group_rules"];
const injected: QuotaName[] = ["injected_files", "injected_file_content_bytes", "injected_file_path_bytes"];

/** What is Nova's at a microversion: Neutron's own quotas went with 2.36, those of personality files with 2.57. */
function namesAt(microversion: number): QuotaName[] {
  const gone = [...(microversion >= 36 ? proxied : []), ...(microversion >= 57 ? injected : [])];
  return (Object.keys(quotas) as QuotaName[]).filter((name) => !gone.includes(name));
}

const fieldsOf = (names: QuotaName[]) => Object.fromEntries(names.map((name) => [name, limit]));

const updateBody = (microversion: number) =>
  z.strictObject({
    quota_set: z.strictObject({
      ...fieldsOf(namesAt(microversion)),
      ...(microversion < 36 ? { networks: limit } : {}),
      force: boolean.optional(),
    }),
  });
const classBody = (names: QuotaName[]) => z.strictObject({ quota_class_set: z.strictObject(fieldsOf(names)) });

type OfProject = { Params: { project: string } };

/** `/os-quota-sets` and `/os-quota-class-sets` */
export function quotaRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { servers, serverGroups, quotas: table, store } = context;
  const pick = (of: Record<QuotaName, unknown>, names: QuotaName[]) =>
    Object.fromEntries(names.map((name) => [name, of[name]]));
  const demandOwn = (scope: Scope, projectId: string, action: string) => {
    if (!owns(scope, projectId)) throw nova.forbidden(`os_compute_api:os-quota-sets:${action}`);
  };
  /** @throws ApiError 400, where it is known that there is no such project */
  const demandProject = (scope: Scope, projectId: string) => {
    if (scope.project?.id !== projectId && !projectExists(context, projectId)) {
      throw nova.badRequest(`Project ID ${projectId} is not a valid project.`);
    }
  };
  const used = (projectId: string): Partial<Record<QuotaName, number>> => ({
    ...usage(servers, projectId),
    server_groups: serverGroups.list((group) => group.projectId === projectId).length,
  });

  app.get<OfProject>("/os-quota-sets/:project", ({ scope, params, microversion }) => {
    demandOwn(scope, params.project, "show");
    demandProject(scope, params.project);
    return { quota_set: { id: params.project, ...pick(limitsOf(table, params.project), namesAt(microversion)) } };
  });
  app.get<OfProject>("/os-quota-sets/:project/defaults", ({ scope, params, microversion }) => {
    demandProject(scope, params.project);
    return { quota_set: { id: params.project, ...pick(defaultLimits(table), namesAt(microversion)) } };
  });
  app.get<OfProject>("/os-quota-sets/:project/detail", ({ scope, params, microversion }) => {
    demandOwn(scope, params.project, "detail");
    demandProject(scope, params.project);
    const inUse = used(params.project);
    const limits = limitsOf(table, params.project);
    const detail = namesAt(microversion).map((name) => [
      name,
      { limit: limits[name], in_use: inUse[name] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { id: params.project, ...Object.fromEntries(detail) } };
  });
  app.put<OfProject>("/os-quota-sets/:project", ({ scope, params, body, microversion }) => {
    const { quota_set: asked } = parseSchema(updateBody(microversion), body ?? null);
    demandAdmin(scope, "os_compute_api:os-quota-sets:update");
    demandProject(scope, params.project);
    const { force, ...given } = asked as Record<string, number | boolean | undefined>;
    if ("networks" in given) throw nova.badRequest("The networks quota has been removed");
    const limits = known(given);
    if (force !== true) demandRoom(limits, used(params.project));
    store.transaction(() =>
      table.put({ id: params.project, limits: { ...table.get(params.project)?.limits, ...limits } }),
    );
    return { quota_set: pick(limitsOf(table, params.project), namesAt(microversion)) };
  });
  app.delete<OfProject>("/os-quota-sets/:project", ({ scope, params }, reply) => {
    demandAdmin(scope, "os_compute_api:os-quota-sets:delete");
    table.delete(params.project);
    return reply.code(202).send();
  });

  const ofClass = (microversion: number): QuotaName[] => {
    if (microversion >= 50) return namesAt(microversion);
    return namesAt(1).filter((name) => name !== "server_groups" && name !== "server_group_members");
  };
  type OfClass = { Params: { name: string } };
  app.get<OfClass>("/os-quota-class-sets/:name", ({ scope, params, microversion }) => {
    demandAdmin(scope, "os_compute_api:os-quota-class-sets:show");
    return { quota_class_set: { id: params.name, ...pick(classLimits(params.name), ofClass(microversion)) } };
  });
  app.put<OfClass>("/os-quota-class-sets/:name", ({ scope, params, body, microversion }) => {
    const { quota_class_set: asked } = parseSchema(classBody(ofClass(microversion)), body ?? null);
    demandAdmin(scope, "os_compute_api:os-quota-class-sets:update");
    const id = classId(params.name);
    const limits = known(asked as Record<string, number | undefined>);
    store.transaction(() => table.put({ id, limits: { ...table.get(id)?.limits, ...limits } }));
    return { quota_class_set: pick(classLimits(params.name), ofClass(microversion)) };
  });

  function classLimits(name: string): Limits {
    return { ...quotas, ...table.get(classId(name))?.limits };
  }
}

const classId = (name: string) => (name === "default" ? defaultClass : `class/${name}`);

/** Projects are Keystone's records. */
function projectExists({ store }: ComputeContext, id: string): boolean {
  return store.collection("project").get(id) !== undefined;
}

function known(given: Record<string, unknown>): Record<string, number> {
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, number] => entry[1] !== undefined));
}

/** @throws ApiError 400 for less than there is already */
function demandRoom(limits: Record<string, number>, used: Record<string, number>): void {
  for (const [name, wanted] of Object.entries(limits)) {
    const least = used[name] ?? 0;
    if (wanted >= 0 && wanted < least) {
      throw new ApiError(
        400,
        `Quota limit ${wanted} for ${name} must be greater than or equal to already used and reserved ${least}.`,
      );
    }
  }
}
