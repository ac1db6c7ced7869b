import { orMissing } from "../../openstack/missing.ts";
import { listAll } from "../../openstack/pages.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { map, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

interface Keypair {
  name: string;
  public_key: string;
  fingerprint: string;
  private_key?: string;
  created_at?: string;
}

/** `openstack_compute_keypair_v2`: its id is its name; every change replaces. */
export const keypair: ResourceKind = {
  type: "openstack:compute/keypair:Keypair",
  autoName: true,
  timeouts: {},
  properties: {
    region: text({ computed: true, replaces: true }),
    name: text({ replaces: true }),
    publicKey: text({ computed: true, replaces: true }),
    fingerprint: text({ output: true, computed: true }),
    privateKey: text({ output: true, computed: true, secret: true, once: true }),
    userId: text({ computed: true, replaces: true }),
    valueSpecs: map({ kept: true, replaces: true }),
  },

  async create({ session }, inputs) {
    const [publicKey, userId] = [textOf(inputs, "publicKey"), textOf(inputs, "userId")];
    const made = await session.request<{ keypair: Keypair }>("compute", "POST", "/os-keypairs", {
      body: {
        keypair: {
          name: inputs.name,
          ...(publicKey === undefined ? {} : { public_key: publicKey }),
          ...(userId === undefined ? {} : { user_id: userId }),
        },
      },
      ...(userId === undefined ? {} : { microversion: "2.10" }),
    });
    return { id: made.body.keypair.name, outputs: { privateKey: made.body.keypair.private_key ?? "" } };
  },

  async read(context, id, inputs) {
    const found = await show(context, id);
    if (found === undefined) return undefined;
    return {
      name: found.name,
      publicKey: found.public_key,
      fingerprint: found.fingerprint,
      userId: textOf(inputs, "userId") ?? "",
    };
  },

  delete: (context, id) => deleteUnlessGone(context, () => context.session.request("compute", "DELETE", pathOf(id))),

  /** A name is unique for its user: the same name with the same key is ours. */
  async candidates(context, inputs) {
    const listed = await listAll<{ keypair: Keypair }>(context.session, "compute", "/os-keypairs", "keypairs");
    const mine = listed.filter(
      ({ keypair: one }) => one.name === inputs.name && one.public_key === textOf(inputs, "publicKey"),
    );
    const found = await Promise.all(mine.map(({ keypair: one }) => show(context, one.name)));
    return found.flatMap((one) => (one === undefined ? [] : [{ id: one.name, createdAt: one.created_at ?? "" }]));
  },
};

function pathOf(name: string): string {
  return `/os-keypairs/${encodeURIComponent(name)}`;
}

async function show({ session }: Context, name: string): Promise<Keypair | undefined> {
  const found = await orMissing(() => session.request<{ keypair: Keypair }>("compute", "GET", pathOf(name)));
  return found?.body.keypair;
}
