import { aString, integer, map, set, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { commonProperties, designateKind } from "./designate.ts";

/** `openstack_dns_zone_v2`. */
export const zone = designateKind({
  type: "openstack:dns/zone:Zone",
  path: () => "/zones",
  collection: "zones",
  pathOf: (id) => `/zones/${id}`,
  idOf: (api) => String(api.id),
  updateMethod: "PATCH",
  properties: {
    ...commonProperties,
    email: text({ field: "email" }),
    type: text({ field: "type", computed: true, replaces: true, allowed: ["PRIMARY", "SECONDARY"] }),
    ttl: integer({ field: "ttl", computed: true }),
    masters: set(aString, { field: "masters" }),
    attributes: map({ field: "attributes", replaces: true }),
  },
  identity: (inputs) => ({ name: textOf(inputs, "name") }),
  // Designate makes up an address for secondary zones, which have none: that is no difference
  readMore: (api, _, { email }) => ({
    email: api.type === "SECONDARY" && email === undefined ? "" : String(api.email),
  }),
});
