import { memberOf } from "../answer.ts";
import { callCompute } from "../pkgcloud/call.ts";
import type { Session } from "../session.ts";

/** The names of the user's key pairs. */
export async function listKeypairNames(session: Session): Promise<string[]> {
  const answer = await callCompute(session, (compute, callback) => compute.listKeys(callback));
  return memberOf<{ keypair: { name: string } }[]>(answer, "keypairs").map(({ keypair }) => keypair.name);
}
