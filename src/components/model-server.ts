import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "./config.ts";
import { Firewall } from "./firewall.ts";
import { FloatingAddress } from "./floating-address.ts";
import type { GenerationHost } from "./generations.ts";
import { Host } from "./host.ts";
import { generationName, serverName } from "./host-contexts.ts";
import { Network } from "./network.ts";
import { keypairName, stackTag } from "./tags.ts";

/** What a {@link ModelServer} is made from. */
export interface ModelServerArgs {
  project: string;
  stack: string;
  config: StackConfig;
  externalNetworkId: string;
  /** What each generation is made from, in the order of their numbers; the last is the newest. */
  hosts: GenerationHost[];
  /** The frontend's port of the stack's first generation. */
  firstPort: number;
  /** Base URL of the stack's publication. */
  sourceUrl: string;
  /** OpenSSH public key that may log in. */
  loginPublicKey: string;
}

/** A generation as the outputs tell it. */
type GenerationOutputs = Record<"generation" | "serverId" | "serverName" | "portId" | "fixedIp", pulumi.Input<string>> &
  Record<"image" | "flavor" | "imageId", string> & { frontendPort: number };

/** One host that does everything, behind one floating IP; while it is renewed, two of them. */
export class ModelServer extends pulumi.ComponentResource {
  readonly address: FloatingAddress;
  /** The outputs that the verbs of `slipway` read: those of the newest generation, and of each. */
  readonly outputs: Record<string, pulumi.Input<string | number | GenerationOutputs[]>>;

  constructor(name: string, args: ModelServerArgs, options?: pulumi.ComponentResourceOptions) {
    super("slipway:components:ModelServer", name, {}, options);
    const { project, stack, config, externalNetworkId, hosts, firstPort } = args;
    const tag = stackTag(project, stack);
    const cloudName = config.network ?? `${project}-${stack}`;
    const parent = { parent: this };

    const keypair = new openstack.compute.Keypair(
      name,
      { name: keypairName(tag), publicKey: args.loginPublicKey },
      parent,
    );
    const network = new Network(name, { name: cloudName, cidr: config.cidr, externalNetworkId, tag }, parent);
    const grpcPort = config.serving?.grpc?.port;
    const frontendPorts = [...new Set(hosts.map(({ frontendPort }) => frontendPort))];
    const firewall = new Firewall(
      name,
      {
        name: cloudName,
        frontendPorts,
        firstPort,
        grpcPort,
        aiengine: config.aiengine,
        sshCidr: config.sshCidr,
        tag,
      },
      parent,
    );
    const generations = hosts.map(({ number, image, flavor, frontendPort, ...made }): GenerationOutputs => {
      const generation = generationName(number);
      const { server, port, fixedIp } = new Host(
        serverName(number),
        {
          name: serverName(number),
          imageId: made.imageId,
          flavorId: made.flavorId,
          // the key pair itself is waited for
          keyPair: keypair.name.apply(() => made.keyPair),
          network,
          securityGroupId: firewall.group.id,
          userData: made.userData,
          roles: made.roles,
          tag,
        },
        parent,
      );
      return {
        ...{ generation, image, imageId: made.imageId, flavor, frontendPort },
        ...{ serverId: server.id, serverName: server.name, portId: port.id, fixedIp },
      };
    });
    this.address = new FloatingAddress("address", { pool: config.externalNetwork, network, tag }, parent);
    const newest = generations.at(-1);
    this.outputs = {
      ...newest,
      floatingIpId: this.address.floatingIp.id,
      floatingIp: this.address.floatingIp.address,
      ...(grpcPort === undefined ? {} : { grpcPort }),
      sourceUrl: args.sourceUrl,
      generations,
    };
    this.registerOutputs(this.outputs);
  }
}
