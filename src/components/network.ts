import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Network} is made from. */
export interface NetworkArgs {
  /** Name of network and router in the cloud. */
  name: string;
  cidr: string;
  /** The network that the router leads to. */
  externalNetworkId: pulumi.Input<string>;
  tag: string;
}

/** A network of its own for a stack: network, subnet, router with gateway, and the router's interface on the subnet. */
export class Network extends pulumi.ComponentResource {
  readonly network: openstack.networking.Network;
  readonly subnet: openstack.networking.Subnet;
  readonly router: openstack.networking.Router;
  readonly routerInterface: openstack.networking.RouterInterface;

  constructor(name: string, args: NetworkArgs, options?: pulumi.ComponentResourceOptions) {
    super("slipway:components:Network", name, {}, options);
    const parent = { parent: this };
    const marks = { tags: [args.tag], description: args.tag };
    this.network = new openstack.networking.Network(name, { name: args.name, adminStateUp: true, ...marks }, parent);
    // no name given: a range of addresses can only be changed by a new subnet beside the old one, while ports move over
    this.subnet = new openstack.networking.Subnet(
      name,
      { networkId: this.network.id, cidr: args.cidr, ipVersion: 4, ...marks },
      parent,
    );
    this.router = new openstack.networking.Router(
      name,
      { name: args.name, adminStateUp: true, externalNetworkId: args.externalNetworkId, ...marks },
      parent,
    );
    this.routerInterface = new openstack.networking.RouterInterface(
      name,
      { routerId: this.router.id, subnetId: this.subnet.id },
      parent,
    );
    this.registerOutputs({ networkId: this.network.id, subnetId: this.subnet.id });
  }
}
