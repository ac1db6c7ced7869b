import type { FastifyInstance } from "fastify";
import type { Scope } from "../identity/scope.ts";
import { readAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { pickFields, type Query, selectPage } from "./filters.ts";
import { floatingIps } from "./floatingips.ts";
import {
  createForwarding,
  deleteForwarding,
  forwardingAttributes,
  forwardingNotFound,
  forwardingView,
  updateForwarding,
} from "./port-forwardings.ts";
import type { FloatingIp, PortForwarding } from "./records.ts";
import { visibleRecord } from "./resource.ts";
import type { NetworkContext } from "./routes.ts";
import { isObject } from "./validators.ts";

type Many = { Params: { floating: string }; Querystring: Query };
type One = { Params: { floating: string; id: string }; Querystring: Query };

const key = "port_forwarding";
const path = "/floatingips/:floating/port_forwardings";

/** `/v2.0/floatingips/{id}/port_forwardings` */
export function forwardingRoutes(app: FastifyInstance, { store, tables, reconcile, base }: NetworkContext): void {
  const floatingOf = (scope: Scope, id: string): FloatingIp => visibleRecord(floatingIps, tables, scope, id);
  const find = (floating: FloatingIp, id: string): PortForwarding => {
    const found = tables.portForwardings.get(id);
    if (found === undefined || found.floatingIpId !== floating.id) throw forwardingNotFound(id);
    return found;
  };
  const read = (scope: Scope, body: unknown, use: "create" | "update") => {
    const input = isObject(body) ? body[key] : undefined;
    if (!isObject(input)) throw neutron.badRequest(`Unable to find '${key}' in request body`);
    return readAttributes(forwardingAttributes, scope, input, use);
  };
  const change = async <R>(work: () => R): Promise<R> => {
    const result = store.transaction(work);
    await reconcile();
    return result;
  };

  app.get<Many>(path, ({ scope, params, query }) => {
    const floating = floatingOf(scope, params.floating);
    const own = tables.portForwardings.list(({ floatingIpId }) => floatingIpId === floating.id);
    const { views, links } = selectPage({
      views: own.map(forwardingView),
      attributes: forwardingAttributes,
      query,
      url: `${base()}/network/v2.0/floatingips/${floating.id}/port_forwardings`,
      notFound: forwardingNotFound,
    });
    return { port_forwardings: views, ...(links.length === 0 ? {} : { port_forwardings_links: links }) };
  });
  app.get<One>(`${path}/:id`, ({ scope, params, query }) => ({
    [key]: pickFields(forwardingView(find(floatingOf(scope, params.floating), params.id)), query),
  }));
  app.post<Many>(path, async ({ scope, params, body }, reply) => {
    const made = await change(() =>
      createForwarding(tables, floatingOf(scope, params.floating), read(scope, body, "create")),
    );
    return reply.code(201).send({ [key]: forwardingView(made) });
  });
  app.put<One>(`${path}/:id`, async ({ scope, params, body }) => {
    const changed = await change(() => {
      const floating = floatingOf(scope, params.floating);
      return updateForwarding(tables, floating, find(floating, params.id), read(scope, body, "update"));
    });
    return { [key]: forwardingView(changed) };
  });
  app.delete<One>(`${path}/:id`, async ({ scope, params }, reply) => {
    await change(() => deleteForwarding(tables, find(floatingOf(scope, params.floating), params.id)));
    return reply.code(204).send();
  });
}
