import type { PropertyMap } from "../../engine/resource-provider.ts";
import { OpenStackError } from "../../openstack/errors.ts";
import { textsOf } from "../schema/values.ts";

/**
 * Makes a call with one of the subnets that the program names, the first that has an address left, as the official provider does.
 * @param name the property that holds their ids; `call` gets the inputs with one of them, or as they are where there is none
 * @throws what the call throws for the last of them, or for another reason
 */
export async function withSubnetsInTurn<T>(
  inputs: PropertyMap,
  name: string,
  call: (inputs: PropertyMap) => Promise<T>,
): Promise<T> {
  const ids = textsOf(inputs, name);
  const last = ids.pop();
  if (last === undefined) return call(inputs);
  for (const id of ids) {
    try {
      return await call({ ...inputs, [name]: [id] });
    } catch (error) {
      if (!hasNoAddress(error)) throw error;
    }
  }
  return call({ ...inputs, [name]: [last] });
}

/** Neutron's ways to say that a subnet gives no address, or is not there. */
function hasNoAddress(error: unknown): boolean {
  if (!(error instanceof OpenStackError)) return false;
  if (error.status === 409) return error.body.includes("IpAddressGenerationFailure");
  if (error.status === 400) return error.body.includes("ExternalIpAddressExhausted");
  return error.status === 404;
}
