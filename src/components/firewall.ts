import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";

/** What a {@link Firewall} is made from. */
export interface FirewallArgs {
  /** Name of the security group in the cloud. */
  name: string;
  /** Open to everybody. */
  frontendPorts: number[];
  /** The one whose rule has the name that each stack had when its hosts had one generation. */
  firstPort: number;
  /** The same, where the hosts serve gRPC. */
  grpcPort: number | undefined;
  /** The listener for databases and from where they are let in, where there is one. */
  aiengine: { port: number; cidr: string } | undefined;
  /** From where SSH is let in. */
  sshCidr: string;
  tag: string;
}

/**
 * A security group that has only rules of its own: in come the frontend's ports, SSH and databases from one range each, out goes
 * everything.
 * Neutron's default rules are deleted first, because operators may have changed what they are.
 */
export class Firewall extends pulumi.ComponentResource {
  readonly group: openstack.networking.SecGroup;

  constructor(name: string, args: FirewallArgs, options?: pulumi.ComponentResourceOptions) {
    super("slipway:components:Firewall", name, {}, options);
    this.group = new openstack.networking.SecGroup(
      name,
      { name: args.name, description: args.tag, tags: [args.tag], deleteDefaultRules: true },
      { parent: this },
    );
    const rule = (suffix: string, rest: Omit<openstack.networking.SecGroupRuleArgs, "securityGroupId">) =>
      new openstack.networking.SecGroupRule(
        `${name}-${suffix}`,
        { securityGroupId: this.group.id, ...rest },
        { parent: this },
      );
    const tcp = (port: number, remoteIpPrefix: string) => ({
      direction: "ingress",
      ethertype: "IPv4",
      protocol: "tcp",
      portRangeMin: port,
      portRangeMax: port,
      remoteIpPrefix,
    });
    for (const port of args.frontendPorts) {
      const suffix = port === args.firstPort ? "frontend" : `frontend-${port}`;
      rule(suffix, { ...tcp(port, "0.0.0.0/0"), description: "frontend, from everywhere" });
    }
    if (args.grpcPort !== undefined) {
      rule("grpc", { ...tcp(args.grpcPort, "0.0.0.0/0"), description: "gRPC, from everywhere" });
    }
    if (args.aiengine !== undefined) {
      const { port, cidr } = args.aiengine;
      rule("aiengine", { ...tcp(port, cidr), description: "AIEngine, from the configured range" });
    }
    rule("ssh", { ...tcp(22, args.sshCidr), description: "SSH, from the configured range" });
    rule("egress-ipv4", { direction: "egress", ethertype: "IPv4", description: "everything may leave" });
    rule("egress-ipv6", { direction: "egress", ethertype: "IPv6", description: "everything may leave" });
    this.registerOutputs({ groupId: this.group.id });
  }
}
