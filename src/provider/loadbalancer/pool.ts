import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import { type ApiObject, toApi } from "../schema/api-form.ts";
import { object, type Properties, text } from "../schema/property.ts";
import { isMap, isZero, textOf } from "../schema/values.ts";
import { firstId } from "./mutable.ts";
import { commonProperties, octaviaKind, tenMinutes } from "./octavia.ts";

const methods = ["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"];
const protocols = ["TCP", "UDP", "HTTP", "HTTPS", "PROXY", "SCTP", "PROXYV2"];
const parents = ["loadbalancerId", "listenerId"];

const persistence: Properties = {
  type: text({
    field: "type",
    required: true,
    replaces: true,
    allowed: ["SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"],
  }),
  cookieName: text({ field: "cookie_name", replaces: true }),
};

/** `openstack_lb_pool_v2`: below a listener, or below the load balancer for several. */
export const pool = octaviaKind({
  type: "openstack:loadbalancer/pool:Pool",
  path: () => "/pools",
  member: "pool",
  collection: "pools",
  timeouts: tenMinutes,
  properties: {
    ...commonProperties,
    description: text({ field: "description" }),
    lbMethod: text({ field: "lb_algorithm", required: true, allowed: methods }),
    protocol: text({ field: "protocol", required: true, replaces: true, allowed: protocols }),
    loadbalancerId: text({ kept: true, replaces: true, exactlyOneOf: parents }),
    listenerId: text({ kept: true, replaces: true, exactlyOneOf: parents }),
    persistence: object(persistence, { computed: true, replaces: true, refuse: refuseCookie }),
  },
  way: (values) => ({
    loadbalancers: textOf(values, "loadbalancerId"),
    listeners: textOf(values, "listenerId"),
  }),
  isMine: (api, inputs) =>
    firstId(api.listeners) === (textOf(inputs, "listenerId") ?? firstId(api.listeners)) &&
    firstId(api.loadbalancers) === (textOf(inputs, "loadbalancerId") ?? firstId(api.loadbalancers)),
  createBody(inputs) {
    const [loadbalancerId, listenerId] = [textOf(inputs, "loadbalancerId"), textOf(inputs, "listenerId")];
    return {
      ...(loadbalancerId === undefined ? {} : { loadbalancer_id: loadbalancerId }),
      ...(listenerId === undefined ? {} : { listener_id: listenerId }),
      ...(isMap(inputs.persistence) ? { session_persistence: givenOf(inputs.persistence) } : {}),
    };
  },
  readMore: (api, _, values) => ({ persistence: persistenceState(api), ...parentOf(api, values) }),
});

function givenOf(value: PropertyMap): ApiObject {
  const sent = toApi(persistence, value);
  return Object.fromEntries(Object.entries(sent).filter(([, one]) => one !== ""));
}

function persistenceState(api: ApiObject): PropertyValue {
  const found = api.session_persistence as { type: string; cookie_name?: string | null } | null | undefined;
  return found ? { type: found.type, cookieName: found.cookie_name ?? "" } : null;
}

/** Read at an import alone: later the state keeps what the program says. */
function parentOf(api: ApiObject, values: PropertyMap): PropertyMap {
  if (parents.some((name) => !isZero(values[name]))) return {};
  const listenerId = firstId(api.listeners);
  return listenerId === undefined ? { loadbalancerId: firstId(api.loadbalancers) ?? "" } : { listenerId };
}

function refuseCookie(value: PropertyValue): string | undefined {
  if (!isMap(value) || typeof value.type !== "string") return undefined;
  const named = value.cookieName !== undefined && value.cookieName !== "";
  if (value.type === "APP_COOKIE") return named ? undefined : "needs a cookieName with APP_COOKIE";
  return named ? `takes a cookieName with APP_COOKIE only, not with ${value.type}` : undefined;
}
