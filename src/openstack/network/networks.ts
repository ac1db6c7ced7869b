import { SlipwayError } from "../../common/errors.ts";
import { listAll } from "../pages.ts";
import type { Session } from "../session.ts";

/**
 * The id of the external network with this name.
 * @throws SlipwayError E_LOOKUP when there is none, or more than one
 */
export async function externalNetworkId(session: Session, name: string): Promise<string> {
  const filters = { name, "router:external": true };
  const found = await listAll<{ id: string }>(session, "network", "/networks", "networks", filters);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first.id;
  const problem =
    first === undefined
      ? `there is no external network ${name}`
      : `${found.length} external networks are called ${name}`;
  throw new SlipwayError("E_LOOKUP", problem, {
    hint: "Set externalNetwork in the stack's configuration to one that the cloud has once.",
  });
}
