import type { FastifyInstance } from "fastify";
import { isSet } from "../identity/listing.ts";
import type { Scope } from "../identity/scope.ts";
import { type BalancerContext, changedRecord, demandWriter, newRecord, takePoolForChange, visible } from "./context.ts";
import { octavia } from "./errors.ts";
import { page, type Query } from "./listing.ts";
import { parseAsked } from "./parse.ts";
import { demandQuota } from "./quotas.ts";
import type { Member, Pool } from "./records.ts";
import { type AskedMember, bodies } from "./schemas.ts";
import { seenSubnet } from "./seen-subnet.ts";
import { memberView } from "./views.ts";

interface OfPool {
  Params: { pool: string };
  Querystring: Query;
}
interface One {
  Params: { pool: string; id: string };
}

/** `/v2.0/lbaas/pools/{id}/members`; behind `requireToken`. */
export function memberRoutes(app: FastifyInstance, context: BalancerContext): void {
  const { store, balancers, tables, provisioning, base } = context;
  const { members, pools } = balancers;
  const path = "/pools/:pool/members";
  const poolOf = (scope: Scope, { pool }: OfPool["Params"]) => visible(pools, scope, "Pool", pool);
  const one = (scope: Scope, { pool, id }: One["Params"]): Member => {
    const owner = poolOf(scope, { pool });
    const member = members.get(id);
    if (member?.pool_id !== owner.id) throw octavia.notFound("Member", id);
    return member;
  };
  const demandSubnet = (scope: Scope, id: string | null | undefined) => {
    if (id) seenSubnet(tables, scope, id);
  };

  app.get<OfPool>(path, ({ scope, params, query }) => {
    const pool = poolOf(scope, params);
    const views = members.list(({ pool_id }) => pool_id === pool.id).map(memberView);
    return page("members", views, query, `${base()}/load-balancer/v2.0/lbaas/pools/${pool.id}/members`);
  });
  app.post<OfPool>(path, ({ scope, params, body }, reply) => {
    demandWriter(scope);
    const asked = parseAsked(bodies.member.create, body).member;
    const { pool, made } = store.transaction(() => {
      const pool = poolOf(scope, params);
      demandSubnet(scope, asked.subnet_id);
      takePoolForChange(context, pool);
      return { pool, made: addMember(context, pool, asked) };
    });
    provisioning.begin(pool.loadbalancer_id);
    return reply.code(201).send({ member: memberView(made) });
  });
  app.put<OfPool>(path, ({ scope, params, query, body }, reply) => {
    demandWriter(scope);
    const asked = parseAsked(bodies.member.batch, body).members;
    const pool = store.transaction(() => {
      const pool = poolOf(scope, params);
      for (const { subnet_id } of asked) demandSubnet(scope, subnet_id);
      takePoolForChange(context, pool);
      replaceMembers(context, pool, asked, isSet(query.additive_only));
      return pool;
    });
    provisioning.begin(pool.loadbalancer_id);
    return reply.code(202).send();
  });
  app.get<One>(`${path}/:id`, ({ scope, params }) => ({ member: memberView(one(scope, params)) }));
  app.put<One>(`${path}/:id`, ({ scope, params, body }) => {
    demandWriter(scope);
    const asked = parseAsked(bodies.member.update, body).member;
    const { pool, changed } = store.transaction(() => {
      const member = one(scope, params);
      const pool = poolOf(scope, params);
      takePoolForChange(context, pool);
      return { pool, changed: members.put(changedRecord(member, asked, { name: "", weight: 1, backup: false })) };
    });
    provisioning.begin(pool.loadbalancer_id);
    return { member: memberView(changed) };
  });
  app.delete<One>(`${path}/:id`, ({ scope, params }, reply) => {
    demandWriter(scope);
    const pool = store.transaction(() => {
      const member = one(scope, params);
      const pool = poolOf(scope, params);
      takePoolForChange(context, pool);
      members.put({ ...member, provisioning_status: "PENDING_DELETE" });
      return pool;
    });
    provisioning.begin(pool.loadbalancer_id);
    return reply.code(204).send();
  });
}

/** Makes a member, in the transaction of whoever asks. @throws ApiError 403, 409 */
export function addMember({ balancers }: BalancerContext, pool: Pool, asked: AskedMember): Member {
  const { members, healthMonitors } = balancers;
  const { address, protocol_port, weight, backup } = asked;
  demandQuota(balancers, pool.project_id, "member");
  if (members.find((one) => one.pool_id === pool.id && keyOf(one) === keyOf(asked)) !== undefined) {
    throw octavia.duplicateMember(address, protocol_port);
  }
  const isMonitored = healthMonitors.find(({ pool_id }) => pool_id === pool.id) !== undefined;
  return members.put({
    ...newRecord(pool.project_id, asked),
    operating_status: isMonitored ? "OFFLINE" : "NO_MONITOR",
    ...{ pool_id: pool.id, address, protocol_port, weight: weight ?? 1, backup: backup ?? false },
    subnet_id: asked.subnet_id ?? null,
    monitor_address: asked.monitor_address ?? null,
    monitor_port: asked.monitor_port ?? null,
  });
}

const keyOf = ({ address, protocol_port }: Pick<Member, "address" | "protocol_port">) => `${address}:${protocol_port}`;

/** Makes the pool's members be those named, told apart by address and port; with `additiveOnly` none goes. */
function replaceMembers(context: BalancerContext, pool: Pool, asked: AskedMember[], additiveOnly: boolean): void {
  const { members } = context.balancers;
  const wanted = new Map(asked.map((one) => [keyOf(one), one]));
  if (wanted.size < asked.length) throw octavia.invalid("Member must be updated only once in the same request.");
  const present = members.list(({ pool_id }) => pool_id === pool.id);
  for (const member of present) {
    const change = wanted.get(keyOf(member));
    if (change !== undefined) {
      const { address: _address, protocol_port: _port, subnet_id: _subnet, project_id: _project, ...rest } = change;
      members.put(changedRecord(member, rest, { name: "", weight: 1, backup: false }));
    } else if (!additiveOnly) members.put({ ...member, provisioning_status: "PENDING_DELETE" });
    wanted.delete(keyOf(member));
  }
  for (const one of wanted.values()) addMember(context, pool, one);
}
