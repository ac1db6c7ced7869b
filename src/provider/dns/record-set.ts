import { aString, integer, set, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";
import { commonProperties, designateKind } from "./designate.ts";

const partsOf = (id: string): [zoneId: string, recordSetId: string] => {
  const [zoneId = "", recordSetId = ""] = id.split("/", 2);
  return [zoneId, recordSetId];
};

/** `openstack_dns_recordset_v2`; its id is `ZONE/RECORDSET`. */
export const recordSet = designateKind({
  type: "openstack:dns/recordSet:RecordSet",
  path: (inputs) => `/zones/${textOf(inputs, "zoneId")}/recordsets`,
  collection: "recordsets",
  pathOf: (id) => `/zones/${partsOf(id)[0]}/recordsets/${partsOf(id)[1]}`,
  idOf: (api, inputs) => `${textOf(inputs, "zoneId")}/${String(api.id)}`,
  updateMethod: "PUT",
  properties: {
    ...commonProperties,
    zoneId: text({ required: true, replaces: true }),
    type: text({ field: "type", computed: true, replaces: true }),
    records: set(aString, { field: "records", required: true }),
    ttl: integer({ field: "ttl", computed: true }),
  },
  identity: (inputs) => ({ name: textOf(inputs, "name"), type: textOf(inputs, "type") }),
  readMore: (_, id) => ({ zoneId: partsOf(id)[0] }),
});
