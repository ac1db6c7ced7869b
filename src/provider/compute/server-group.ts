import { OpenStackError } from "../../openstack/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import { listAll } from "../../openstack/pages.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { aString, integer, list, map, object, text } from "../schema/property.ts";
import { isMap, textsOf } from "../schema/values.ts";

/** A group as Nova shows it: `policies` until 2.63, `policy` and `rules` from 2.64 on. */
interface ServerGroup {
  id: string;
  name: string;
  members: string[];
  policies?: string[];
  policy?: string;
  rules?: { max_server_per_host?: number };
}

/** The microversion from which a group has rules. */
const withRules = "2.64";

/** `openstack_compute_servergroup_v2`: every change replaces. */
export const serverGroup: ResourceKind = {
  type: "openstack:compute/serverGroup:ServerGroup",
  autoName: true,
  timeouts: {},
  properties: {
    region: text({ computed: true, replaces: true }),
    name: text({ replaces: true }),
    policies: list(aString, { replaces: true, refuse: refuseSeveral }),
    rules: object({ maxServerPerHost: integer({ replaces: true }) }, { computed: true, replaces: true }),
    members: list(aString, { output: true, computed: true }),
    valueSpecs: map({ kept: true, replaces: true }),
  },

  async create({ session }, inputs) {
    const policy = textsOf(inputs, "policies")[0] ?? "";
    const limit = isMap(inputs.rules) ? Number(inputs.rules.maxServerPerHost ?? 0) : 0;
    const ruled = limit > 0;
    const made = await session.request<{ server_group: ServerGroup }>("compute", "POST", "/os-server-groups", {
      body: {
        server_group: {
          name: inputs.name,
          ...(ruled ? { policy, rules: { max_server_per_host: limit } } : { policies: [policy] }),
          ...(isMap(inputs.valueSpecs) ? inputs.valueSpecs : {}),
        },
      },
      ...(ruled ? { microversion: withRules } : {}),
      // the soft policies are newer than the groups
      ...(!ruled && policy.startsWith("soft-") ? { microversion: "2.15" } : {}),
    });
    return { id: made.body.server_group.id, requestId: made.requestId };
  },

  async read(context, id) {
    const found = await show(context, id);
    if (found === undefined) return undefined;
    const policies = found.policies ?? (found.policy === undefined ? [] : [found.policy]);
    const rules = found.rules === undefined ? null : { maxServerPerHost: found.rules.max_server_per_host ?? 0 };
    return { name: found.name, policies, members: found.members, rules };
  },

  delete: (context, id) =>
    deleteUnlessGone(context, () => context.session.request("compute", "DELETE", `/os-server-groups/${id}`)),

  /** Groups carry no time and nothing that tells two of one name apart: one that is the only one of its name and policy is it. */
  async candidates({ session }, inputs) {
    const listed = await listAll<ServerGroup>(session, "compute", "/os-server-groups", "server_groups");
    return listed
      .filter((group) => group.name === inputs.name && group.members.length === 0)
      .filter((group) => (group.policies?.[0] ?? group.policy) === textsOf(inputs, "policies")[0])
      .map(({ id }) => ({ id, createdAt: new Date().toISOString() }));
  },
};

/** Clouds before 2.64 are asked without a microversion. */
async function show({ session }: Context, id: string): Promise<ServerGroup | undefined> {
  const ask = (limits: { microversion?: string }) =>
    session.request<{ server_group: ServerGroup }>("compute", "GET", `/os-server-groups/${id}`, limits);
  const found = await orMissing(() =>
    ask({ microversion: withRules }).catch((error: unknown) => {
      if (error instanceof OpenStackError && (error.status === 400 || error.status === 406)) return ask({});
      throw error;
    }),
  );
  return found?.body.server_group;
}

function refuseSeveral(value: unknown): string | undefined {
  return Array.isArray(value) && value.length === 1 ? undefined : "must hold exactly one policy";
}
