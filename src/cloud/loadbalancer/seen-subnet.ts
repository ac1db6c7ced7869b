import type { Scope } from "../identity/scope.ts";
import type { NetworkTables, Subnet } from "../network/records.ts";
import { isVisible } from "../network/resource.ts";
import { subnets } from "../network/subnets.ts";
import { octavia } from "./errors.ts";

/** A subnet as Neutron shows it to whoever asks: it is asked with the caller's token. @throws ApiError 400 */
export function seenSubnet(tables: NetworkTables, scope: Scope, id: string): Subnet {
  const subnet = tables.subnets.get(id);
  if (subnet !== undefined && isVisible(subnets, tables, scope, subnet)) return subnet;
  throw octavia.invalidSubresource("Subnet", id);
}
