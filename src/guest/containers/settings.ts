import { z } from "zod";
import { isSubnetPool } from "./subnets.ts";

/** Private, and neither Docker's nor OpenStack's usual choice. */
const ADDRESS_POOL = "10.89.0.0/16";

/** That a host's services run in containers, and how their network is made. */
export const containersSchema = z.object({
  /** Bytes; that of the interface by which the host reaches others unless given. */
  mtu: z.int().min(576).max(65_535).optional(),
  /** An IPv4 range with a prefix of 8 to 24: the host takes a /24 of it in which it knows nobody. */
  addressPool: z
    .string()
    .refine(isSubnetPool, "must be an IPv4 range like 10.89.0.0/16, with a prefix of 8 to 24")
    .default(ADDRESS_POOL),
});

export type ContainerSettings = z.infer<typeof containersSchema>;
