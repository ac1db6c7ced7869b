import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import type { Network } from "./network.ts";

/** What a {@link Host} is made from. */
export interface HostArgs {
  /** Name of the server in the cloud: the host's name with its generation, e.g. `server-g1`. */
  name: string;
  imageId: pulumi.Input<string>;
  flavorId: pulumi.Input<string>;
  keyPair: pulumi.Input<string>;
  network: Network;
  securityGroupId: pulumi.Input<string>;
  /** The same bytes from run to run: a change replaces the server. */
  userData: string;
  roles: string[];
  tag: string;
}

/** A server on a port of its own. A new generation is a new host with another name, never a replacement of this one. */
export class Host extends pulumi.ComponentResource {
  readonly port: openstack.networking.Port;
  readonly server: openstack.compute.Instance;
  readonly fixedIp: pulumi.Output<string>;

  constructor(name: string, args: HostArgs, options?: pulumi.ComponentResourceOptions) {
    super("slipway:components:Host", name, {}, options);
    const { network } = args;
    this.port = new openstack.networking.Port(
      name,
      {
        networkId: network.network.id,
        adminStateUp: true,
        securityGroupIds: [args.securityGroupId],
        fixedIps: [{ subnetId: network.subnet.id }],
        description: `${args.tag} ${args.name}`,
        tags: [args.tag],
      },
      // a running server keeps the address that it booted with: another subnet means another port, and so another server
      { parent: this, replaceOnChanges: ["fixedIps"] },
    );
    this.server = new openstack.compute.Instance(
      name,
      {
        name: args.name,
        imageId: args.imageId,
        flavorId: args.flavorId,
        keyPair: args.keyPair,
        networks: [{ port: this.port.id }],
        userData: args.userData,
        metadata: { slipway: args.tag, "slipway-roles": [...args.roles].sort().join(" ") },
      },
      // the bootstrap needs its way out when it starts
      { parent: this, dependsOn: [network.routerInterface] },
    );
    this.fixedIp = this.port.allFixedIps.apply((addresses) => addresses[0] ?? "");
    this.registerOutputs({ serverId: this.server.id, portId: this.port.id });
  }
}
