import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { IdentityContext } from "./context.ts";
import { documentRoutes } from "./documents.ts";

const fields = { blob: z.string().optional(), type: z.string().max(255).optional() };

/** `/v3/policies`: texts that services could fetch their rules from; nothing in this cloud does. Behind `requireToken`. */
export function policyRoutes(app: FastifyInstance, context: IdentityContext): void {
  documentRoutes(app, context, {
    ...{ name: "policy", plural: "policies", table: context.accounts.policies, filters: ["type"] },
    create: z.looseObject({ ...fields, blob: fields.blob.unwrap(), type: fields.type.unwrap() }),
    update: z.looseObject(fields),
  });
}
