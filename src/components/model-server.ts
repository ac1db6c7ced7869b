import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { renderHostUserData } from "../contextualization/render.ts";
import type { StackConfig } from "./config.ts";
import { Firewall } from "./firewall.ts";
import { FloatingAddress } from "./floating-address.ts";
import { Host } from "./host.ts";
import { hostName, serverContext } from "./host-contexts.ts";
import type { Found } from "./look-ups.ts";
import { Network } from "./network.ts";
import type { PublicationRecord } from "./publication.ts";
import { keypairName, stackTag } from "./tags.ts";

/** What a {@link ModelServer} is made from. */
export interface ModelServerArgs {
  project: string;
  stack: string;
  config: StackConfig;
  /** What the configuration's names stand for in the cloud. */
  found: Found;
  publication: PublicationRecord;
  /** OpenSSH public key that may log in. */
  loginPublicKey: string;
  /** Where the cloud-init templates lie. */
  templateFolder: string;
}

/** One host that does everything, behind one floating IP. */
export class ModelServer extends pulumi.ComponentResource {
  readonly host: Host;
  readonly address: FloatingAddress;
  /** The outputs that the verbs of `slipway` read. */
  readonly outputs: Record<string, pulumi.Input<string | number>>;

  constructor(name: string, args: ModelServerArgs, options?: pulumi.ComponentResourceOptions) {
    super("slipway:components:ModelServer", name, {}, options);
    const { project, stack, config, found, publication } = args;
    const tag = stackTag(project, stack);
    const cloudName = config.network ?? `${project}-${stack}`;
    const parent = { parent: this };

    const server = serverContext(stack, config, publication);
    const { frontendPort, generation, roles, sourceUrl } = server;
    // before the first resource: a template that cannot be rendered makes nothing
    const userData = renderHostUserData(server, args.templateFolder);

    const keypair = new openstack.compute.Keypair(
      name,
      { name: keypairName(tag), publicKey: args.loginPublicKey },
      parent,
    );
    const network = new Network(
      name,
      { name: cloudName, cidr: config.cidr, externalNetworkId: found.externalNetworkId, tag },
      parent,
    );
    const grpcPort = config.serving?.grpc?.port;
    const firewall = new Firewall(
      name,
      { name: cloudName, frontendPort, grpcPort, aiengine: config.aiengine, sshCidr: config.sshCidr, tag },
      parent,
    );
    this.host = new Host(
      hostName(server),
      {
        name: hostName(server),
        imageId: found.imageId,
        flavorId: found.flavorId,
        keyPair: keypair.name,
        network,
        securityGroupId: firewall.group.id,
        userData,
        roles,
        tag,
      },
      parent,
    );
    this.address = new FloatingAddress("address", { pool: config.externalNetwork, network, tag }, parent);
    this.outputs = {
      serverId: this.host.server.id,
      serverName: this.host.server.name,
      portId: this.host.port.id,
      fixedIp: this.host.fixedIp,
      floatingIpId: this.address.floatingIp.id,
      floatingIp: this.address.floatingIp.address,
      frontendPort,
      ...(grpcPort === undefined ? {} : { grpcPort }),
      generation,
      image: config.image,
      imageId: found.imageId,
      flavor: config.flavor,
      sourceUrl,
    };
    this.registerOutputs(this.outputs);
  }
}
