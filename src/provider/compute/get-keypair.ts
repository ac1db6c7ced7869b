import type { ProviderFunction } from "../function.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

interface Keypair {
  public_key: string;
  fingerprint: string;
  user_id: string;
}

/** `openstack_compute_keypair_v2` as a data source; a name that is not there is the cloud's 404. */
export const getKeypair: ProviderFunction = {
  token: "openstack:compute/getKeypair:getKeypair",
  args: { region: text(), name: text({ required: true }), userId: text() },
  async call({ session, region }, args) {
    const name = textOf(args, "name") ?? "";
    const path = `/os-keypairs/${encodeURIComponent(name)}`;
    const { body } = await session.request<{ keypair: Keypair }>("compute", "GET", path, {
      query: { user_id: textOf(args, "userId") },
      microversion: "2.10",
    });
    const { fingerprint, public_key: publicKey, user_id: userId } = body.keypair;
    return { ...args, id: name, fingerprint, publicKey, userId, region };
  },
};
