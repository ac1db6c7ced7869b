import { externalNetworkId } from "../../src/openstack/network/external-networks.ts";
import {
  createFloatingIp,
  type FloatingIp,
  listFloatingIps,
  setFloatingIpTags,
} from "../../src/openstack/network/floating-ips.ts";
import type { Session } from "../../src/openstack/session.ts";
import type { StackAddress } from "../../src/release/address-claim.ts";
import { startTestCloud, type TestCloud } from "../provider/test-cloud.ts";

const TAG = "slipway:test/production";

const inOrder = new Intl.Collator("en", { numeric: true });

/** A cloud with what a stack's program makes, as far as addresses are concerned: a routed network, servers on it, an address of its own. */
export class PaperStack {
  readonly test: TestCloud;
  readonly session: Session;
  readonly networkId: string;
  /** The address that the program owns. */
  readonly own: FloatingIp;
  /** The stack with its first server. */
  readonly stack: StackAddress & { serverId: string };

  private constructor(test: TestCloud, networkId: string, own: FloatingIp, host: { serverId: string; portId: string }) {
    this.test = test;
    this.session = test.session;
    this.networkId = networkId;
    this.own = own;
    this.stack = { tag: TAG, ownId: own.id, externalNetwork: "public", ...host };
  }

  /** @param options.bootMs how long servers take to become ACTIVE */
  static async create({ bootMs = 0 } = {}): Promise<PaperStack> {
    const test = await startTestCloud({ guests: { bootMs } });
    try {
      return await PaperStack.#make(test);
    } catch (error) {
      await test.stop();
      throw error;
    }
  }

  static async #make(test: TestCloud): Promise<PaperStack> {
    const { session } = test;
    const externalId = await externalNetworkId(session, "public");
    const network = await make<{ id: string }>(session, "network", { name: "net" });
    const subnet = await make<{ id: string }>(session, "subnet", {
      ...{ network_id: network.id, cidr: "10.1.0.0/24", ip_version: 4 },
    });
    const router = await make<{ id: string }>(session, "router", { external_gateway_info: { network_id: externalId } });
    const leg = { subnet_id: subnet.id };
    await session.request("network", "PUT", `/routers/${router.id}/add_router_interface`, { body: leg });
    const own = await createFloatingIp(session, {
      ...{ networkId: externalId, description: `${TAG} address`, tags: [TAG] },
    });
    const host = await boot(session, network.id);
    await session.request("network", "PUT", `/ports/${host.portId}/tags`, { body: { tags: [TAG] } });
    return new PaperStack(test, network.id, own, host);
  }

  /** A server on a port of its own in the stack's network, which is not the stack's. */
  boot(): Promise<{ serverId: string; portId: string }> {
    return boot(this.session, this.networkId);
  }

  /** Another address of the project: free and untagged unless told otherwise. */
  async allocate({ description = "", tags = [] as string[] } = {}): Promise<FloatingIp> {
    const networkId = this.own.floating_network_id;
    const made = await createFloatingIp(this.session, { networkId, description });
    if (tags.length > 0) await setFloatingIpTags(this.session, made.id, tags);
    return made;
  }

  /**
   * The project's addresses as they are now, by what must not leak: address, port, tags and description. In the order in which they were
   * made: a list has them by their ids.
   */
  async addresses() {
    const found = await listFloatingIps(this.session);
    return found
      .map(({ floating_ip_address, port_id, tags, description }) => ({
        ...{ address: floating_ip_address, port: port_id, tags: tags.toSorted(), description },
      }))
      .sort((one, other) => inOrder.compare(one.address, other.address));
  }

  async remove(): Promise<void> {
    await this.test.stop();
  }
}

async function make<T>(session: Session, kind: string, fields: object): Promise<T> {
  const { body } = await session.request<Record<string, T>>("network", "POST", `/${kind}s`, {
    body: { [kind]: fields },
  });
  return body[kind] as T;
}

async function boot(session: Session, networkId: string): Promise<{ serverId: string; portId: string }> {
  const port = await make<{ id: string }>(session, "port", { network_id: networkId });
  const { images } = (await session.request<{ images: { id: string }[] }>("image", "GET", "/images")).body;
  const { flavors } = (await session.request<{ flavors: { id: string }[] }>("compute", "GET", "/flavors")).body;
  const { body } = await session.request<{ server: { id: string } }>("compute", "POST", "/servers", {
    body: {
      server: { name: "web", imageRef: images[0]?.id, flavorRef: flavors[0]?.id, networks: [{ port: port.id }] },
    },
  });
  return { serverId: body.server.id, portId: port.id };
}
