import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import type { Network } from "./network.ts";

/** What a {@link FloatingAddress} is made from. */
export interface FloatingAddressArgs {
  /** Name of the external network. */
  pool: string;
  network: Network;
  tag: string;
}

/**
 * The stack's public address. The program only owns it; `slipway` points it at a host when that has passed its gate. It depends on
 * the router's interface, so that a destroy releases it before the way to it is gone.
 */
export class FloatingAddress extends pulumi.ComponentResource {
  readonly floatingIp: openstack.networking.FloatingIp;

  constructor(name: string, args: FloatingAddressArgs, options?: pulumi.ComponentResourceOptions) {
    super("slipway:components:FloatingAddress", name, {}, options);
    this.floatingIp = new openstack.networking.FloatingIp(
      name,
      { pool: args.pool, description: `${args.tag} ${name}`, tags: [args.tag] },
      { parent: this, dependsOn: [args.network.routerInterface] },
    );
    this.registerOutputs({ address: this.floatingIp.address });
  }
}
