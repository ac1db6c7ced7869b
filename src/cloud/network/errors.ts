import { ApiError } from "../http/api-error.ts";
import { pythonText } from "../http/python-repr.ts";

/** Neutron's refusals, by its own exception classes and in its own words. */
export const neutron = {
  badRequest: (message: string) => new ApiError(400, message, "HTTPBadRequest"),
  invalidInput: (reason: string) => new ApiError(400, `Invalid input for operation: ${reason}.`, "InvalidInput"),
  bad: (resource: string, reason: string) => new ApiError(400, `Bad ${resource} request: ${reason}.`, "BadRequest"),
  badLimit: (limit: string) => neutron.bad("limit", `Limit must be an integer 0 or greater and not '${limit}'`),
  /** @param rule as oslo.policy writes it, e.g. `(rule:create_network and rule:create_network:shared)` */
  disallowed: (rule: string) => new ApiError(403, `${rule} is disallowed by policy`, "PolicyNotAuthorized"),
  notAuthorized: (action: string) => neutron.disallowed(`rule:${action}`),
  forbidden: (message: string) => new ApiError(403, message, "HTTPForbidden"),
  notSupported: () => new ApiError(404, "The resource could not be found.", "HTTPNotFound"),
  methodNotAllowed: () =>
    new ApiError(
      405,
      "The server could not comply with the request since it is either malformed or otherwise incorrect.",
      "HTTPMethodNotAllowed",
    ),
  revisionFailed: (wanted: number, current: number) =>
    new ApiError(412, `Constrained to ${wanted}, but current revision is ${current}`, "RevisionNumberConstraintFailed"),
  zoneNotFound: (zone: string) =>
    new ApiError(404, `AvailabilityZone ${zone} could not be found.`, "AvailabilityZoneNotFound"),
  tooMany: (what: string, type: string) => new ApiError(400, what, type),
  overQuota: (resource: string) => new ApiError(409, `Quota exceeded for resources: ['${resource}'].`, "OverQuota"),

  networkNotFound: (id: string) => new ApiError(404, `Network ${id} could not be found.`, "NetworkNotFound"),
  subnetNotFound: (id: string) => new ApiError(404, `Subnet ${id} could not be found.`, "SubnetNotFound"),
  portNotFound: (id: string) => new ApiError(404, `Port ${id} could not be found.`, "PortNotFound"),
  routerNotFound: (id: string) => new ApiError(404, `Router ${id} could not be found`, "RouterNotFound"),
  groupNotFound: (id: string) => new ApiError(404, `Security group ${id} does not exist`, "SecurityGroupNotFound"),
  ruleNotFound: (id: string) =>
    new ApiError(404, `Security group rule ${id} does not exist`, "SecurityGroupRuleNotFound"),
  floatingIpNotFound: (id: string) => new ApiError(404, `Floating IP ${id} could not be found`, "FloatingIPNotFound"),

  networkInUse: (id: string, ports: string[]) =>
    new ApiError(
      409,
      `Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is: ${ports.join(",")}.`,
      "NetworkInUse",
    ),
  subnetInUse: (id: string) =>
    new ApiError(
      409,
      `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet.`,
      "SubnetInUse",
    ),
  poolAffinity: () =>
    new ApiError(
      400,
      "Subnets hosted on the same network must be allocated from the same subnet pool.",
      "NetworkSubnetPoolAffinityError",
    ),
  scopeAffinity: () =>
    new ApiError(
      400,
      "Subnets of the same address family hosted on the same network must all participate in the same address scope.",
      "NetworkAddressScopeAffinityError",
    ),
  gatewayIpInUse: (address: string, portId: string) =>
    new ApiError(
      409,
      `Current gateway ip ${address} already in use by port ${portId}. Unable to update.`,
      "GatewayIpInUse",
    ),
  sharedInUse: (name: string) =>
    new ApiError(
      409,
      `Unable to reconfigure sharing settings for network ${name}. Multiple tenants are using it.`,
      "InvalidSharedSetting",
    ),
  poolInvalid: (pool: string) =>
    new ApiError(400, `The allocation pool ${pool} is not valid.`, "InvalidAllocationPool"),
  poolOutOfBounds: (pool: string, cidr: string) =>
    new ApiError(400, `The allocation pool ${pool} spans beyond the subnet cidr ${cidr}.`, "OutOfBoundsAllocationPool"),
  poolsOverlap: (a: string, b: string, cidr: string) =>
    new ApiError(
      409,
      `Found overlapping allocation pools: ${a} ${b} for subnet ${cidr}.`,
      "OverlappingAllocationPools",
    ),
  gatewayInPool: (gatewayIp: string, pool: string) =>
    new ApiError(
      409,
      `Gateway ip ${gatewayIp} conflicts with allocation pool ${pool}.`,
      "GatewayConflictWithAllocationPools",
    ),
  groupsNeedSecurity: () =>
    new ApiError(
      400,
      "Port security must be enabled and port must have an IP address in order to use security groups.",
      "PortSecurityAndIPRequiredForSecurityGroups",
    ),
  groupsOnPort: () =>
    new ApiError(
      409,
      "Port has security group associated. Cannot disable port security or IP address until security group is removed.",
      "PortSecurityPortHasSecurityGroup",
    ),
  pairsNeedSecurity: () =>
    new ApiError(
      409,
      "Port Security must be enabled in order to have allowed address pairs on a port.",
      "AddressPairAndPortSecurityRequired",
    ),
  servicePortInUse: (id: string, owner: string) =>
    new ApiError(
      409,
      `Port ${id} cannot be deleted directly via the port API: has device owner ${owner}.`,
      "ServicePortInUse",
    ),
  deviceNotOwned: (deviceId: string) =>
    new ApiError(
      409,
      `The following device_id ${deviceId} is not owned by your tenant or matches another tenants router.`,
      "DeviceIDNotOwnedByTenant",
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
  noServiceSubnet: (networkId: string, owner: string) =>
    new ApiError(
      409,
      `No valid service subnet for the given device owner, network ${networkId}, service type ${owner}.`,
      "IpAddressGenerationFailureNoMatchingSubnet",
    ),
  addressNotInSubnet: (address: string) =>
    new ApiError(400, `IP address ${address} is not a valid IP for the specified subnet.`, "InvalidIpForSubnet"),
  addressNotInNetwork: (address: string) =>
    new ApiError(
      400,
      `IP address ${address} is not a valid IP for any of the subnets on the specified network.`,
      "InvalidIpForNetwork",
    ),
  addressOnAutoSubnet: (address: string, subnetId: string) =>
    new ApiError(
      400,
      `IPv6 address ${address} cannot be directly assigned to a port on subnet ${subnetId} as the subnet is configured for automatic addresses`,
      "AllocationOnAutoAddressSubnet",
    ),
  macInUse: (networkId: string, mac: string) =>
    new ApiError(
      409,
      `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`,
      "MacAddressInUse",
    ),

  routerInUse: (id: string, ports: string[]) =>
    new ApiError(409, `Router ${id} has ports still attached: ${ports.join(",")}`, "RouterInUse"),
  badRouterRequest: (reason: string) => neutron.bad("router", reason),
  noInterfaceOnSubnet: (id: string, subnetId: string) =>
    new ApiError(404, `Router ${id} has no interface on subnet ${subnetId}`, "RouterInterfaceNotFoundForSubnet"),
  noInterface: (id: string, portId: string) =>
    new ApiError(404, `Router ${id} does not have an interface with id ${portId}`, "RouterInterfaceNotFound"),
  subnetMismatch: (portId: string, subnetId: string) =>
    new ApiError(
      400,
      `Subnet on port ${portId} does not match the requested subnet ${subnetId}.`,
      "SubnetMismatchForPort",
    ),
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

  invalidPort: (port: unknown) =>
    new ApiError(400, `Invalid value for port ${pythonText(port)}`, "SecurityGroupInvalidPortValue"),
  manyRemotes: () =>
    new ApiError(
      400,
      "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
      "SecurityGroupMultipleRemoteEntites",
    ),
  ruleConflict: (ethertype: string, cidr: string) =>
    new ApiError(
      400,
      `Conflicting value ethertype ${ethertype} for CIDR ${cidr}`,
      "SecurityGroupRuleParameterConflict",
    ),
  subnetPoolNotFound: (id: string) => new ApiError(404, `Subnet pool ${id} could not be found.`, "SubnetPoolNotFound"),
  addressScopeNotFound: (id: string) =>
    new ApiError(404, `Address scope ${id} could not be found.`, "AddressScopeNotFound"),
  /** netaddr's own words for what is no network. */
  addressFormat: (value: unknown) => new ApiError(400, `invalid IPNetwork ${pythonText(value)}`, "AddrFormatError"),
  addressGroupNotFound: (id: string) =>
    new ApiError(404, `Address group ${id} could not be found.`, "AddressGroupNotFound"),
  defaultGroupKeepsName: () =>
    new ApiError(409, "Updating default security group not allowed.", "SecurityGroupCannotUpdateDefault"),
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
    neutron.bad("floatingip", `Cannot add floating IP to port ${portId} that has no fixed IPv4 addresses`),
  floatingIpForwards: (id: string) =>
    new ApiError(409, `Floating IP ${id} in use by Port Forwarding resources.`, "FipInUseByPortForwarding"),
  portHasForwarding: (portId: string) =>
    new ApiError(
      400,
      `Cannot associate floating IP to port ${portId} because it already has a Port Forwarding binding.`,
      "PortHasPortForwarding",
    ),
  externalAddressExhausted: (networkId: string) =>
    new ApiError(400, `Unable to find any IP address on external network ${networkId}.`, "ExternalIpAddressExhausted"),
  floatingIpTaken: (address: string, id: string, portId: string, fixedIp: string, networkId: string) =>
    new ApiError(
      409,
      `Cannot associate floating IP ${address} (${id}) with port ${portId} using fixed IP ${fixedIp}, as that fixed IP already has a floating IP on external network ${networkId}.`,
      "FloatingIPPortAlreadyAssociated",
    ),
};
