import type { FastifyInstance } from "fastify";
import { isAdmin } from "../identity/scope.ts";
import type { ImageOptions } from "./context.ts";
import { glance } from "./faults.ts";
import { visibleImage } from "./images.ts";
import { schemas } from "./schema.ts";
import { storeId } from "./view.ts";

interface One {
  Params: { id: string };
}

/** How images get their content besides by upload. */
export function importMethods({ webDownload }: Pick<ImageOptions, "webDownload">): string[] {
  return ["glance-direct", ...(webDownload ? ["web-download"] : []), "copy-image"];
}

/** What Glance says of itself: import methods, stores, schemas; tasks and metadata definitions, of which there are none. */
export function infoRoutes(app: FastifyInstance, options: ImageOptions): void {
  const { table } = options;
  app.get("/info/import", () => ({
    "import-methods": {
      description: "Import methods available.",
      type: "array",
      value: importMethods(options),
    },
  }));
  const store = { id: storeId, default: "true" };
  app.get("/info/stores", () => ({ stores: [store] }));
  app.get("/info/stores/detail", ({ scope }) => {
    if (!isAdmin(scope)) throw glance.notAuthorized("stores_info_detail");
    // without the folder, which Glance tells its administrators: the machine is nobody's business here
    const properties = { chunk_size: 65_536, thin_provisioning: false };
    return { stores: [{ ...store, type: "file", properties }] };
  });
  app.get("/info/usage", () => ({ usage: {} }));

  app.get<{ Params: { name: string } }>("/schemas/:name", ({ params }) => {
    const found = Object.hasOwn(schemas, params.name) ? schemas[params.name] : undefined;
    if (found === undefined) throw glance.notFound();
    return found;
  });

  app.delete<{ Params: { store: string; id: string } }>("/stores/:store/:id", ({ scope, params }) => {
    if (params.store !== storeId) {
      throw glance.conflict(`The selected store ${params.store} is not available on this node.`);
    }
    const image = visibleImage(table, scope, params.id, `Failed to find image ${params.id}`);
    if (image.status !== "active") {
      throw glance.conflict("It's not allowed to remove image data from store if image status is not 'active'");
    }
    throw glance.forbidden(
      "Cannot delete image data from the only store containing it. Consider deleting the image instead.",
    );
  });

  app.get<One>("/images/:id/tasks", ({ scope, params }) => {
    visibleImage(table, scope, params.id);
    return { tasks: [] };
  });
  app.get("/tasks", ({ scope }) => {
    if (!isAdmin(scope)) throw glance.notAuthorized("tasks_api_access");
    return { tasks: [], first: "/v2/tasks", schema: "/v2/schemas/tasks" };
  });
  app.get("/metadefs/namespaces", () => ({
    namespaces: [],
    schema: "/v2/schemas/metadefs/namespaces",
    first: "/v2/metadefs/namespaces",
  }));
}
