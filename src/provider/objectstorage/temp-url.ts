import { createHash, createHmac } from "node:crypto";
import { SlipwayError } from "../../common/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import { containerPath } from "../../openstack/object/containers.ts";
import { objectPath } from "../../openstack/object/objects.ts";
import type { Session } from "../../openstack/session.ts";
import type { ResourceKind } from "../kind.ts";
import { flag, integer, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

/** `openstack_objectstorage_tempurl_v1`: an address that lets its bearer have an object until it expires. Nothing of it is in the cloud. */
export const tempUrl: ResourceKind = {
  type: "openstack:objectstorage/tempUrl:TempUrl",
  autoName: false,
  timeouts: {},
  importable: false,
  properties: {
    region: text({ kept: true, computed: true, replaces: true }),
    container: text({ kept: true, required: true, replaces: true }),
    object: text({ kept: true, required: true, replaces: true }),
    method: text({ kept: true, replaces: true, default: "get", allowed: ["get", "post"] }),
    ttl: integer({ kept: true, required: true, replaces: true }),
    split: text({ kept: true, replaces: true }),
    regenerate: flag({ kept: true, replaces: true }),
    url: text({ output: true, computed: true, secret: true, once: true }),
  },

  async create({ session }, inputs) {
    const [container, object] = [textOf(inputs, "container") ?? "", textOf(inputs, "object") ?? ""];
    const address = `${await session.endpoint("object-store")}${objectPath(container, object)}`;
    const split = textOf(inputs, "split") ?? "/v1/";
    const at = address.indexOf(split);
    const path = address.slice(at < 0 ? new URL(address).origin.length : at);
    const expires = Math.floor(Date.now() / 1000) + Number(inputs.ttl);
    const method = (textOf(inputs, "method") ?? "get").toUpperCase();
    // SHA-1, which the official provider takes, is refused by newer Swifts; all that are in use take SHA-256
    const key = await keyOf(session, container);
    const signature = createHmac("sha256", key)
      .update(`${method}\n${expires}\n${decodeURIComponent(path)}`)
      .digest("hex");
    const url = `${address}?temp_url_sig=${signature}&temp_url_expires=${expires}`;
    return { id: createHash("md5").update(url).digest("hex"), outputs: { url } };
  },

  /** One that has expired is gone where the program wants a new one. */
  async read(_context, _id, inputs, olds) {
    const url = textOf(olds, "url");
    const expires = url === undefined ? Number.NaN : Number(new URL(url).searchParams.get("temp_url_expires"));
    return inputs.regenerate === true && expires < Date.now() / 1000 ? undefined : {};
  },

  async delete() {
    // it ends by itself
  },
};

/** The container's key, else the account's. @throws SlipwayError E_UPDATE_FAILED where neither has one */
async function keyOf(session: Session, container: string): Promise<string> {
  const ofContainer = await orMissing(() => session.request("object-store", "HEAD", containerPath(container)));
  const key = ofContainer?.headers["x-container-meta-temp-url-key"];
  if (key) return key;
  const { headers } = await session.request("object-store", "HEAD", "");
  const ofAccount = headers["x-account-meta-temp-url-key"];
  if (ofAccount) return ofAccount;
  throw new SlipwayError(
    "E_UPDATE_FAILED",
    `neither container ${container} nor the account has a key for temporary addresses`,
    {
      hint: 'Give the container metadata: { "Temp-URL-Key": … }, or run `openstack object store account set --property Temp-URL-Key=…`.',
    },
  );
}
