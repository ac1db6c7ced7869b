import { ApiError } from "../http/api-error.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { attribute, ownerAttributes, type Values } from "./attributes.ts";
import { neutron } from "./errors.ts";
import type { View } from "./filters.ts";
import { routerBetween } from "./floatingip-association.ts";
import { versionOf } from "./ip.ts";
import { removeForwarding } from "./port-forwarding-release.ts";
import type { FixedIp, FloatingIp, NetworkTables, Port, PortForwarding } from "./records.ts";
import { newInternalRecord, revised } from "./resource.ts";
import { ipAddress, oneOf, range, text, toInteger, uuid } from "./validators.ts";

const port = { convert: toInteger, validate: range(1, 65_535) };

/** What a port forwarding is made of. Neutron takes every protocol; those without ports lead nowhere and are refused. */
export const forwardingAttributes = {
  ...ownerAttributes,
  description: attribute<string>("cuf", { validate: text(255) }),
  external_port: attribute<number>("crufs", port),
  internal_port: attribute<number>("cru", port),
  internal_ip_address: attribute<string>("cru", { validate: ipAddress }),
  protocol: attribute<string>("crufs", { validate: oneOf("tcp", "udp", "sctp", "dccp", "udplite") }),
  internal_port_id: attribute<string>("crufs", { validate: uuid }),
};

type Body = Values<typeof forwardingAttributes>;
type Target = Pick<PortForwarding, "protocol" | "externalPort" | "internalPortId" | "internalIp" | "internalPort">;

/** A forwarding as it is shown. */
export function forwardingView(forwarding: PortForwarding): View {
  return {
    id: forwarding.id,
    external_port: forwarding.externalPort,
    internal_port: forwarding.internalPort,
    internal_ip_address: forwarding.internalIp,
    protocol: forwarding.protocol,
    internal_port_id: forwarding.internalPortId,
    description: forwarding.description,
  };
}

export const forwardingNotFound = (id: string) =>
  new ApiError(404, `Port Forwarding ${id} could not be found.`, "PortForwardingNotFound");

/**
 * `POST /v2.0/floatingips/{id}/port_forwardings`: the floating IP comes to the router that reaches the port.
 * @throws ApiError 400 for clashes, 404 for what there is not, 409 where one of both ends is associated as a whole
 */
export function createForwarding(tables: NetworkTables, floating: FloatingIp, body: Body): PortForwarding {
  const target: Target = {
    protocol: body.protocol ?? "",
    externalPort: body.external_port ?? 0,
    internalPortId: body.internal_port_id ?? "",
    internalIp: body.internal_ip_address ?? "",
    internalPort: body.internal_port ?? 0,
  };
  demandFree(tables, floating, target);
  demandUnbound(tables, target);
  if (floating.portId !== null) {
    throw neutron.floatingIpTaken(
      floating.address,
      floating.id,
      target.internalPortId,
      target.internalIp,
      floating.networkId,
    );
  }
  attach(tables, floating, target);
  const record = { ...newInternalRecord(floating.projectId), description: body.description ?? "" };
  return tables.portForwardings.put({ ...record, floatingIpId: floating.id, ...target });
}

/** `PUT /v2.0/floatingips/{id}/port_forwardings/{id}` @throws ApiError as at creation */
export function updateForwarding(
  tables: NetworkTables,
  floating: FloatingIp,
  forwarding: PortForwarding,
  body: Body,
): PortForwarding {
  const target: Target = {
    protocol: body.protocol ?? forwarding.protocol,
    externalPort: body.external_port ?? forwarding.externalPort,
    internalPortId: body.internal_port_id ?? forwarding.internalPortId,
    internalIp: body.internal_ip_address ?? forwarding.internalIp,
    internalPort: body.internal_port ?? forwarding.internalPort,
  };
  if (body.internal_port_id !== undefined) demandUnbound(tables, target);
  demandFree(tables, floating, target, forwarding.id);
  attach(tables, floating, target);
  const description = body.description ?? forwarding.description;
  return tables.portForwardings.put(revised(forwarding, { ...target, description }));
}

/** `DELETE /v2.0/floatingips/{id}/port_forwardings/{id}` */
export const deleteForwarding = removeForwarding;

/** Brings the floating IP to the router between it and the port. */
function attach(tables: NetworkTables, floating: FloatingIp, { internalPortId, internalIp }: Target): void {
  const inside = tables.ports.get(internalPortId);
  if (inside === undefined || inside.projectId !== floating.projectId) throw neutron.portNotFound(internalPortId);
  const ip = inside.fixedIps.find(({ ipAddress: address }) => address === internalIp);
  if (ip === undefined) {
    throw neutron.bad(
      "port_forwarding",
      `The internal IP does not correspond to an address on the internal port, which has fixed_ips ${shown(inside.fixedIps)}`,
    );
  }
  demandIpv4(inside, internalIp);
  const routerId = routerBetween(tables, ip.subnetId, floating.networkId);
  if (routerId === undefined) {
    throw neutron.bad(
      "port_forwarding",
      `External network ${floating.networkId} is not reachable from subnet ${ip.subnetId}. Cannot set Port forwarding for port ${internalPortId} with Floating IP ${floating.id}`,
    );
  }
  if (floating.routerId !== null && floating.routerId !== routerId) {
    throw neutron.bad(
      "port_forwarding",
      `The Floating IP ${floating.id} had been set on router ${floating.routerId}, the internal Neutron port ${internalPortId} can not reach it`,
    );
  }
  if (floating.routerId === null) tables.floatingIps.put(revised(floating, { routerId }));
}

/** Floating IPs are of IPv4, and so is what they lead to. */
function demandIpv4({ id, fixedIps }: Port, internalIp: string): void {
  if (versionOf(internalIp) === 4) return;
  const suitable = fixedIps.filter(({ ipAddress: address }) => versionOf(address) === 4);
  if (suitable.length === 0) {
    throw neutron.bad("port_forwarding", `Requested internal port ${id} must allocate an IPv4 address at least.`);
  }
  throw neutron.bad(
    "port_forwarding",
    `Requested internal IP address ${internalIp} is not suitable for internal neutron port ${id}, as its fixed_ips are ${shown(suitable)}`,
  );
}

const shown = (fixedIps: FixedIp[]) =>
  pythonRepr(fixedIps.map((each) => ({ subnet_id: each.subnetId, ip_address: each.ipAddress })));

function demandUnbound(tables: NetworkTables, { internalPortId, internalIp }: Target): void {
  const bound = tables.floatingIps.find(({ portId }) => portId === internalPortId);
  if (bound === undefined) return;
  throw new ApiError(
    409,
    `Cannot create port forwarding to floating IP ${bound.address} (${bound.id}) with port ${internalPortId} using fixed IP ${internalIp}, as that port already has a binding floating IP.`,
    "PortHasBindingFloatingIP",
  );
}

/** Each outer and each inner port is used once. */
function demandFree(tables: NetworkTables, floating: FloatingIp, target: Target, own?: string): void {
  const others = tables.portForwardings.list(({ id, protocol }) => id !== own && protocol === target.protocol);
  const clash = (name: string, number: number) =>
    neutron.bad(
      "port_forwarding",
      `There is a port collision with the ${name}. The following ranges collides: ${number}:${number} and ${number}:${number}`,
    );
  const inside = others.some(
    (other) =>
      other.internalPortId === target.internalPortId &&
      other.internalIp === target.internalIp &&
      other.internalPort === target.internalPort,
  );
  if (inside) throw clash("internal_port_range", target.internalPort);
  const outside = others.some(
    (other) => other.floatingIpId === floating.id && other.externalPort === target.externalPort,
  );
  if (outside) throw clash("external_port_range", target.externalPort);
}
