import { listAll } from "../../openstack/pages.ts";
import type { ProviderFunction } from "../function.ts";
import { exactlyOne } from "../lookup.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

interface Hypervisor {
  id: number | string;
  hypervisor_hostname: string;
  host_ip: string;
  state: string;
  status: string;
  hypervisor_type: string;
  vcpus?: number;
  memory_mb?: number;
  local_gb?: number;
}

/** `openstack_compute_hypervisor_v2` as a data source; clouds show hypervisors to administrators only. */
export const getHypervisor: ProviderFunction = {
  token: "openstack:compute/getHypervisorV2:getHypervisorV2",
  args: { hostname: text({ required: true }) },
  async call({ session }, args) {
    const hostname = textOf(args, "hostname") ?? "";
    const all = await listAll<Hypervisor>(session, "compute", "/os-hypervisors/detail", "hypervisors");
    const found = await exactlyOne({
      what: "hypervisor",
      asked: hostname,
      found: all.filter((one) => one.hypervisor_hostname === hostname),
      describe: (one) => one.hypervisor_hostname,
      others: async () => all,
      official: {
        none: "Could not find any hypervisor with this name",
        several: "More than one hypervisor found with this name",
      },
    });
    return {
      ...args,
      id: String(found.id),
      hostIp: found.host_ip,
      state: found.state,
      status: found.status,
      type: found.hypervisor_type,
      vcpus: found.vcpus ?? 0,
      memory: found.memory_mb ?? 0,
      disk: found.local_gb ?? 0,
    };
  },
};
