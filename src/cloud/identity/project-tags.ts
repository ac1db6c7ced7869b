import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { found, type IdentityContext, selfOf } from "./context.ts";
import { parsePart } from "./malformed.ts";
import { demandAdmin, demandReader } from "./policy.ts";
import { tag, tagList } from "./projects.ts";

interface Tags {
  Params: { id: string };
}
interface OneTag {
  Params: { id: string; tag: string };
}

/** `/v3/projects/{id}/tags`; behind `requireToken`. */
export function projectTagRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, url } = context;
  const { projects } = accounts;
  const one = (id: string) => found(projects.get(id), "project", id);
  const change = (id: string, decide: (tags: string[]) => string[]) =>
    store.transaction(() => {
      const project = one(id);
      return projects.put({ ...project, tags: decide(project.tags) }).tags;
    });
  const path = "/v3/projects/:id/tags";

  app.get<Tags>(path, (request) => {
    const { scope, params } = request;
    if (scope.project?.id !== params.id) demandReader(scope, "list_project_tags", projects.get(params.id)?.domainId);
    return { links: { self: selfOf(context, request) }, tags: one(params.id).tags };
  });
  app.put<Tags>(path, (request) => {
    demandAdmin(request.scope, "update_project_tags");
    const asked = parsePart(tagList, request.body, "tags");
    return { links: { self: selfOf(context, request) }, tags: change(request.params.id, () => asked) };
  });
  app.delete<Tags>(path, ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_project_tags");
    change(params.id, () => []);
    return reply.code(204).send();
  });
  for (const method of ["GET", "HEAD"] as const) {
    app.route<OneTag>({
      method,
      url: `${path}/:tag`,
      handler({ scope, params }, reply) {
        if (scope.project?.id !== params.id) demandReader(scope, "get_project_tag", projects.get(params.id)?.domainId);
        demandTag(one(params.id).tags, params.tag);
        return reply.code(204).send();
      },
    });
  }
  app.put<OneTag>(`${path}/:tag`, ({ scope, params }, reply) => {
    demandAdmin(scope, "create_project_tag");
    const asked = parsePart(tag, { tag: params.tag }, "tag");
    change(params.id, (tags) => parsePart(tagList, { tags: [...new Set([...tags, asked])] }, "tags"));
    return reply
      .code(201)
      .header("location", `${url()}/projects/${params.id}/tags/${encodeURIComponent(params.tag)}`)
      .send();
  });
  app.delete<OneTag>(`${path}/:tag`, ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_project_tag");
    change(params.id, (tags) => {
      demandTag(tags, params.tag);
      return tags.filter((one) => one !== params.tag);
    });
    return reply.code(204).send();
  });
}

function demandTag(tags: readonly string[], tag: string): void {
  if (!tags.includes(tag)) throw new ApiError(404, `Could not find project tag: ${tag}.`);
}
