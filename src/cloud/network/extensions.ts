/** Neutron extensions that this cloud has; clients look before they use one. */
const aliases: Record<string, string> = {
  "allowed-address-pairs": "Allowed Address Pairs",
  availability_zone: "Availability Zone",
  binding: "Port Binding",
  "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
  "external-net": "Neutron external network",
  extra_dhcp_opt: "Neutron Extra DHCP options",
  "filter-validation": "Filter parameters validation",
  "fip-port-details": "Floating IP Port Details Extension",
  "net-mtu": "Network MTU",
  "net-mtu-writable": "Network MTU (writable)",
  pagination: "Pagination support",
  "port-security": "Port Security",
  "project-id": "project_id field enabled",
  quotas: "Quota management support",
  quota_details: "Quota details management support",
  router: "Neutron L3 Router",
  "security-group": "security-group",
  sorting: "Sorting support",
  "standard-attr-description": "standard-attr-description",
  "standard-attr-revisions": "Resource revision numbers",
  "standard-attr-tag": "Tag support for resources with standard attribute",
  "standard-attr-timestamp": "Resource timestamps",
  "stateful-security-group": "Stateful security group",
  extraroute: "Neutron Extra Route",
  trunk: "Trunk Extension",
};

/** `GET /v2.0/extensions` */
export const extensions = Object.entries(aliases).map(([alias, name]) => ({
  alias,
  name,
  description: name,
  updated: "2016-01-01T00:00:00-00:00",
  links: [],
}));
