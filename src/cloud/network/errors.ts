import { ApiError } from "../http/api-error.ts";

/** Neutron's refusals, by its own exception classes and in its own words. */
export const neutron = {
  badRequest: (message: string) => new ApiError(400, message, "HTTPBadRequest"),
  invalidInput: (reason: string) => new ApiError(400, `Invalid input for operation: ${reason}.`, "InvalidInput"),
  notAuthorized: (action: string) =>
    new ApiError(403, `(rule:${action}) is disallowed by policy`, "PolicyNotAuthorized"),
  overQuota: (resource: string) => new ApiError(409, `Quota exceeded for resources: ['${resource}'].`, "OverQuota"),

  networkNotFound: (id: string) => new ApiError(404, `Network ${id} could not be found.`, "NetworkNotFound"),
  subnetNotFound: (id: string) => new ApiError(404, `Subnet ${id} could not be found.`, "SubnetNotFound"),
  portNotFound: (id: string) => new ApiError(404, `Port ${id} could not be found.`, "PortNotFound"),
  routerNotFound: (id: string) => new ApiError(404, `Router ${id} could not be found`, "RouterNotFound"),
  groupNotFound: (id: string) => new ApiError(404, `Security group ${id} does not exist`, "SecurityGroupNotFound"),
  ruleNotFound: (id: string) =>
    new ApiError(404, `Security group rule ${id} does not exist`, "SecurityGroupRuleNotFound"),
  extensionNotFound: (alias: string) =>
    new ApiError(404, `Extension with alias ${alias} does not exist`, "ExtensionNotFound"),
  floatingIpNotFound: (id: string) => new ApiError(404, `Floating IP ${id} could not be found`, "FloatingIPNotFound"),

  networkInUse: (id: string, ports: string[]) =>
    new ApiError(
      409,
      `Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is ${ports.join(",")}.`,
      "NetworkInUse",
    ),
  subnetInUse: (id: string) =>
    new ApiError(
      409,
      `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet.`,
      "SubnetInUse",
    ),
  gatewayInPool: (gatewayIp: string, pool: string) =>
    new ApiError(
      409,
      `Gateway ip ${gatewayIp} conflicts with allocation pool ${pool}.`,
      "GatewayConflictWithAllocationPools",
    ),
  servicePortInUse: (id: string, owner: string) =>
    new ApiError(
      409,
      `Port ${id} cannot be deleted directly via the port API: has device owner ${owner}.`,
      "ServicePortInUse",
    ),
  portInUse: (id: string, networkId: string, deviceId: string) =>
    new ApiError(
      409,
      `Unable to complete operation on port ${id} for network ${networkId}. Port already has an attached device ${deviceId}.`,
      "PortInUse",
    ),
  addressInUse: (address: string, subnetId: string) =>
    new ApiError(409, `IP address ${address} already allocated in subnet ${subnetId}`, "IpAddressAlreadyAllocated"),
  addressesExhausted: (networkId: string) =>
    new ApiError(409, `No more IP addresses available on network ${networkId}.`, "IpAddressGenerationFailure"),
  addressNotInSubnet: (address: string) =>
    new ApiError(400, `IP address ${address} is not a valid IP for the specified subnet.`, "InvalidIpForSubnet"),
  macInUse: (networkId: string, mac: string) =>
    new ApiError(
      409,
      `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`,
      "MacAddressInUse",
    ),

  routerInUse: (id: string) => new ApiError(409, `Router ${id} still has ports`, "RouterInUse"),
  badRouterRequest: (reason: string) => new ApiError(400, `Bad router request: ${reason}.`, "BadRequest"),
  noInterfaceOnSubnet: (id: string, subnetId: string) =>
    new ApiError(404, `Router ${id} has no interface on subnet ${subnetId}`, "RouterInterfaceNotFoundForSubnet"),
  noInterface: (id: string, portId: string) =>
    new ApiError(404, `Router ${id} does not have an interface with id ${portId}`, "RouterInterfaceNotFound"),
  interfaceInUse: (id: string, subnetId: string) =>
    new ApiError(
      409,
      `Router interface for subnet ${subnetId} on router ${id} cannot be deleted, as it is required by one or more floating IPs.`,
      "RouterInterfaceInUseByFloatingIP",
    ),
  gatewayInUse: (id: string, networkId: string) =>
    new ApiError(
      409,
      `Gateway cannot be updated for router ${id}, since a gateway to external network ${networkId} is required by one or more floating IPs.`,
      "RouterExternalGatewayInUseByFloatingIp",
    ),

  interfaceInUseByRoute: (id: string, subnetId: string) =>
    new ApiError(
      409,
      `Router interface for subnet ${subnetId} on router ${id} cannot be deleted, as it is required by one or more routes.`,
      "RouterInterfaceInUseByRoute",
    ),
  invalidRoutes: (routes: { destination: string; nexthop: string }[], reason: string) =>
    new ApiError(
      400,
      `Invalid format for routes: [${routes.map(({ destination, nexthop }) => `{'destination': '${destination}', 'nexthop': '${nexthop}'}`).join(", ")}], ${reason}`,
      "InvalidRoutes",
    ),

  trunkNotFound: (id: string) => new ApiError(404, `Trunk ${id} could not be found.`, "TrunkNotFound"),
  subPortNotFound: (id: string, portId: string) =>
    new ApiError(404, `SubPort ${portId} on trunk ${id} could not be found.`, "SubPortNotFound"),
  trunkPortInUse: (id: string) => new ApiError(409, `Port ${id} is in use by another trunk.`, "TrunkPortInUse"),
  trunkInUse: (id: string) => new ApiError(409, `Trunk ${id} is currently in use.`, "TrunkInUse"),
  trunkDisabled: (id: string) => new ApiError(409, `Trunk ${id} is currently disabled.`, "TrunkDisabled"),
  parentPortInUse: (id: string) =>
    new ApiError(
      409,
      `Port ${id} is currently in use and is not eligible for use as a parent port.`,
      "ParentPortInUse",
    ),
  duplicateSubPort: (id: string, type: string, number: number) =>
    new ApiError(
      409,
      `segmentation_type ${type} and segmentation_id ${number} already in use on trunk ${id}.`,
      "DuplicateSubPort",
    ),
  portInUseByTrunk: (id: string, trunkId: string, role: "parent" | "sub") =>
    role === "parent"
      ? new ApiError(409, `Port ${id} is currently a parent port for trunk ${trunkId}.`, "PortInUseAsTrunkParent")
      : new ApiError(409, `Port ${id} is currently a subport for trunk ${trunkId}.`, "PortInUseAsSubPort"),

  groupInUse: (id: string) => new ApiError(409, `Security Group ${id} in use.`, "SecurityGroupInUse"),
  defaultGroupStays: () =>
    new ApiError(409, "Insufficient rights for removing default security group.", "SecurityGroupCannotRemoveDefault"),
  defaultGroupExists: () =>
    new ApiError(409, "Default security group already exists.", "SecurityGroupDefaultAlreadyExists"),
  ruleExists: (id: string) =>
    new ApiError(409, `Security group rule already exists. Rule id is ${id}.`, "SecurityGroupRuleExists"),

  externalGatewayNotFound: (networkId: string, subnetId: string, portId: string) =>
    new ApiError(
      404,
      `External network ${networkId} is not reachable from subnet ${subnetId}.  Therefore, cannot associate Port ${portId} with a Floating IP.`,
      "ExternalGatewayForFloatingIPNotFound",
    ),
  portWithoutAddress: (portId: string) =>
    neutron.badRequest(
      `Bad floatingip request: Cannot add floating IP to port ${portId} that has no fixed IPv4 addresses.`,
    ),
  floatingIpTaken: (address: string, id: string, portId: string, fixedIp: string, networkId: string) =>
    new ApiError(
      409,
      `Cannot associate floating IP ${address} (${id}) with port ${portId} using fixed IP ${fixedIp}, as that fixed IP already has a floating IP on external network ${networkId}.`,
      "FloatingIPPortAlreadyAssociated",
    ),
};
