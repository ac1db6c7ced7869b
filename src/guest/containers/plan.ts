/** The containers' own network on a host. */
export interface ContainerNetwork {
  /** IPv4, with a prefix of 24. */
  subnet: string;
  /** Of the queue's server; it publishes no port. */
  queueAddress: string;
  /** Bytes. */
  mtu: number;
}

/** What a host's containers run from. */
export interface ContainerPlan {
  /** Its name with a digest in it: other content is another image. */
  image: string;
  network: ContainerNetwork;
}

/** Name of the network; the same in the compose file. */
export const NETWORK = "slipway";
/** The bridge's interface. */
export const BRIDGE = "slipway0";
