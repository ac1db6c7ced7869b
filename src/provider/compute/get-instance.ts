import type { ProviderFunction } from "../function.ts";
import { anObject, list, text } from "../schema/property.ts";
import { mapsOf, textOf } from "../schema/values.ts";
import { readServer } from "./instance-read.ts";

const network = anObject({
  fixedIpV4: text(),
  fixedIpV6: text(),
  mac: text(),
  name: text(),
  port: text(),
  uuid: text(),
});

/** `openstack_compute_instance_v2` as a data source: by id alone. A server that is not there is an empty answer, no error. */
export const getInstance: ProviderFunction = {
  token: "openstack:compute/getInstanceV2:getInstanceV2",
  args: { region: text(), id: text({ required: true }), networks: list(network), userData: text() },
  async call(context, args) {
    const { networks: _, ...asked } = args;
    const state = await readServer(context, textOf(args, "id") ?? "", args);
    if (state === undefined) return { ...args, id: "", region: context.region };
    const { allMetadata, allTags, ...found } = state;
    return {
      ...asked,
      ...found,
      metadata: allMetadata ?? {},
      tags: allTags ?? [],
      networks: mapsOf(found, "networks").map(({ fixedIpV4, fixedIpV6, mac, name, port, uuid }) => ({
        fixedIpV4: fixedIpV4 ?? "",
        fixedIpV6: fixedIpV6 ?? "",
        mac: mac ?? "",
        name: name ?? "",
        port: port ?? "",
        uuid: uuid ?? "",
      })),
      region: context.region,
    };
  },
};
