import { nova } from "../compute/errors.ts";
import { quotas } from "../compute/quota-limits.ts";
import { neutron } from "../network/errors.ts";
import type { RequestHook } from "./fault.ts";

/** The project uses all its cores: no more servers, and the limits say so. */
export const coresUsedUp: RequestHook[] = [
  {
    method: "POST",
    route: "/compute/v2.1/servers",
    before: () => {
      throw nova.quota("cores", 1, quotas.cores, quotas.cores);
    },
  },
  {
    method: "GET",
    route: "/compute/v2.1/limits",
    show: (body) => {
      const answer = JSON.parse(body) as { limits: { absolute: Record<string, number> } };
      answer.limits.absolute.totalCoresUsed = quotas.cores;
      return JSON.stringify(answer);
    },
  },
];

/** The project has all the floating IPs that it may have: no more of them, and the quota says so. */
export const floatingIpsUsedUp: RequestHook[] = [
  {
    method: "POST",
    route: "/network/v2.0/floatingips",
    before: () => {
      throw neutron.overQuota("floatingip");
    },
  },
  ...["details", "details.json"].map(
    (form): RequestHook => ({
      method: "GET",
      route: `/network/v2.0/quotas/:project/${form}`,
      show: (body) => {
        const answer = JSON.parse(body) as { quota: { floatingip: { limit: number; used: number } } };
        answer.quota.floatingip.used = answer.quota.floatingip.limit;
        return JSON.stringify(answer);
      },
    }),
  ),
];
