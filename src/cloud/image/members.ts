import type { FastifyInstance } from "fastify";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import type { Collection, Store } from "../store/store.ts";
import { glance } from "./faults.ts";
import { isVisible, memberOf } from "./images.ts";
import type { Image, ImageMember } from "./records.ts";

interface One {
  Params: { id: string; member: string };
}

/** `/images/{id}/members`: whom a shared image is shared with, and whether they want it. */
export function memberRoutes(app: FastifyInstance, { store, table }: { store: Store; table: Collection<Image> }): void {
  const path = "/images/:id/members";
  const view = (image: Image, { projectId, status, createdAt, updatedAt }: ImageMember) => ({
    ...{ member_id: projectId, image_id: image.id, status, created_at: createdAt, updated_at: updatedAt },
    schema: "/v2/schemas/member",
  });
  const seen = (scope: Scope, id: string): Image => {
    const image = table.get(id);
    if (image === undefined || !isVisible(scope, image)) throw glance.notFound(`Image ${id} not found.`);
    return image;
  };
  /** Shared, and the caller's to do this with. */
  const shared = (
    scope: Scope,
    id: string,
    verb: string,
    may = (image: Image) => owns(scope, image.ownerId),
  ): Image => {
    const image = seen(scope, id);
    if (image.visibility === "shared" && may(image)) return image;
    throw glance.forbidden(`Not allowed to ${verb} members for image ${id}.`);
  };
  const member = (image: Image, projectId: string): ImageMember => {
    const found = image.members?.find((one) => one.projectId === projectId);
    if (found !== undefined) return found;
    throw glance.notFound(`${projectId} not found in the member list of the image ${image.id}.`);
  };
  const keep = (image: Image, change: (members: ImageMember[]) => ImageMember[]) =>
    table.put({ ...image, members: change(image.members ?? []) });

  app.get<One>(path, ({ scope, params }) => {
    const image = seen(scope, params.id);
    if (image.visibility !== "shared") {
      throw glance.forbidden(`Not allowed to list members for image ${image.id}: Only shared images have members.`);
    }
    const all = image.members ?? [];
    const shown = owns(scope, image.ownerId) ? all : all.filter(({ projectId }) => projectId === scope.project?.id);
    return { members: shown.map((one) => view(image, one)), schema: "/v2/schemas/members" };
  });
  app.get<One>(`${path}/:member`, ({ scope, params }) => {
    const image = seen(scope, params.id);
    if (image.visibility !== "shared") throw glance.notFound("Only shared images have members.");
    const isOthers = !owns(scope, image.ownerId) && params.member !== scope.project?.id;
    return view(image, member(isOthers ? { ...image, members: [] } : image, params.member));
  });
  app.post<One>(path, ({ scope, params, body }) => {
    const { member: projectId } = (body ?? {}) as { member?: unknown };
    if (projectId === undefined) throw glance.badRequest("Member to be added not specified");
    if (typeof projectId !== "string" || projectId === "") throw glance.badRequest("Member can't be empty");
    return store.transaction(() => {
      const image = shared(scope, params.id, "create");
      if (image.members?.some((one) => one.projectId === projectId)) {
        throw glance.conflict(`Member ${projectId} is duplicated for image ${image.id}`);
      }
      const now = isoSeconds();
      const added: ImageMember = { projectId, status: "pending", createdAt: now, updatedAt: now };
      keep(image, (members) => [...members, added]);
      return view(image, added);
    });
  });
  app.put<One>(`${path}/:member`, ({ scope, params, body }) => {
    const { status } = (body ?? {}) as { status?: unknown };
    if (status === undefined) throw glance.badRequest("Status not specified");
    return store.transaction(() => {
      // the member itself says what it wants, and not the owner
      const may = (image: Image) => isAdmin(scope) || memberOf(image, scope)?.projectId === params.member;
      const image = shared(scope, params.id, "update", may);
      const before = member(image, params.member);
      if (status !== "pending" && status !== "accepted" && status !== "rejected") {
        throw glance.badRequest('Incorrect request: Status must be "pending", "accepted" or "rejected".');
      }
      const after: ImageMember = { ...before, status, updatedAt: isoSeconds() };
      keep(image, (members) => members.map((one) => (one.projectId === after.projectId ? after : one)));
      return view(image, after);
    });
  });
  app.delete<One>(`${path}/:member`, ({ scope, params }, reply) => {
    store.transaction(() => {
      const image = shared(scope, params.id, "delete");
      const { projectId } = member(image, params.member);
      keep(image, (members) => members.filter((one) => one.projectId !== projectId));
    });
    return reply.code(204).send();
  });
}
