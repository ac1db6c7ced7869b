import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import type { Document } from "./accounts.ts";
import { endpointUrl, interfaces } from "./catalog.ts";
import { found, type IdentityContext } from "./context.ts";
import { documentRoutes } from "./documents.ts";
import { malformed, parsePart } from "./malformed.ts";
import { demandAdmin } from "./policy.ts";
import { accountName } from "./users.ts";

const regionFields = {
  id: z.string().optional(),
  description: z.string().nullish(),
  parent_region_id: z.string().nullish(),
};
const regionSchema = z.looseObject(regionFields);
const serviceFields = {
  enabled: z.boolean().optional(),
  name: accountName.optional(),
  type: z.string().min(1).max(255).optional(),
};
const endpointFields = {
  enabled: z.boolean().optional(),
  interface: z.enum(interfaces).optional(),
  region_id: z.string().optional(),
  region: z.string().optional(),
  service_id: z.string().optional(),
  url: z
    .string()
    .max(225)
    .regex(/^[a-zA-Z0-9+.-]+:.+/)
    .optional(),
};
const required = <T extends z.ZodType>(field: z.ZodOptional<T>) => field.unwrap();

/** `/v3/regions`, `/v3/services`, `/v3/endpoints`: what the catalogue is made of; behind `requireToken`. */
export function catalogRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, addresses } = context;
  const { regions, services, endpoints } = accounts;

  const newRegion = (asked: Record<string, unknown>): Record<string, unknown> => {
    const { id, parent_region_id: parent = null, description, ...extra } = asked;
    if (id !== undefined && regions.get(String(id)) !== undefined) {
      throw new ApiError(409, `Conflict occurred attempting to store region - Duplicate ID, ${id}..`);
    }
    if (parent !== null) found(regions.get(String(parent)), "region", String(parent));
    return { ...extra, ...(id ? { id } : {}), description: description ?? "", parent_region_id: parent };
  };
  documentRoutes(app, context, {
    ...{ name: "region", table: regions, create: regionSchema, update: regionSchema },
    ...{ filters: ["parent_region_id"], open: true },
    prepare: (asked, before) => (before === undefined ? newRegion(asked) : asked),
    removed({ id }) {
      const family = [id, ...regions.list(({ parent_region_id }) => parent_region_id === id).map((child) => child.id)];
      if (endpoints.find(({ region_id }) => family.includes(String(region_id))) === undefined) return;
      throw new ApiError(
        403,
        `Unable to delete region ${id} because it or its child regions have associated endpoints.`,
      );
    },
  });
  app.put<{ Params: { id: string } }>("/v3/regions/:id", ({ scope, params, body }, reply) => {
    demandAdmin(scope, "create_region");
    const asked = parsePart(regionSchema, body, "region");
    if (asked.id !== undefined && asked.id !== params.id) {
      throw new ApiError(400, `Conflicting region IDs specified: "${params.id}" != "${asked.id}"`);
    }
    const made = store.transaction(() =>
      regions.put({ id: params.id, ...newRegion({ ...asked, id: params.id }) } as Document),
    );
    return reply.code(201).send({ region: { ...made, links: { self: `${context.url()}/regions/${made.id}` } } });
  });

  documentRoutes(app, context, {
    ...{ name: "service", table: services, filters: ["type", "name"] },
    create: z.looseObject({ ...serviceFields, type: required(serviceFields.type) }),
    update: z.looseObject(serviceFields),
    prepare: (asked, before) => (before === undefined ? { name: "", enabled: true, ...asked } : asked),
    removed({ id }) {
      for (const endpoint of endpoints.list(({ service_id }) => service_id === id)) endpoints.delete(endpoint.id);
    },
  });

  documentRoutes(app, context, {
    ...{ name: "endpoint", table: endpoints, filters: ["interface", "service_id", "region_id"] },
    create: z.looseObject({
      ...endpointFields,
      interface: required(endpointFields.interface),
      service_id: required(endpointFields.service_id),
      url: required(endpointFields.url),
    }),
    update: z.looseObject(endpointFields),
    view: (endpoint) => ({ ...endpoint, region: endpoint.region_id, url: endpointUrl(endpoint, addresses()) }),
    prepare({ region, ...asked }, before) {
      const regionId = asked.region_id ?? region;
      // an older client names a region and expects it to be made
      if (asked.region_id === undefined && typeof region === "string" && regions.get(region) === undefined) {
        regions.put({ id: region, description: "", parent_region_id: null });
      }
      const expect = (what: string, table: string) => malformed(`Expecting to find ${what} in ${table} table.`);
      if (regionId !== undefined && regions.get(String(regionId)) === undefined) {
        throw expect("endpoint region_id", "region");
      }
      if (asked.service_id !== undefined && services.get(String(asked.service_id)) === undefined) {
        throw expect("endpoint service_id", "service");
      }
      const defaults = before === undefined ? { region_id: null, enabled: true } : {};
      return { ...defaults, ...asked, ...(regionId === undefined ? {} : { region_id: regionId }) };
    },
  });
}
