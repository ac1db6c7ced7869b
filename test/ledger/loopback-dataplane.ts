import { randomInt } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Dataplane, NetworkingPlan } from "../../src/cloud/network/dataplane.ts";

/**
 * A data plane without namespaces: an address that leads to a plugged port answers, on loopback, with what listens on `target`; every
 * other address refuses. Connections stay where they led when they were made, as in a router that tracks them.
 */
export class LoopbackDataplane implements Dataplane {
  readonly external: { cidr: string; gatewayIp: string };
  readonly #open = new Map<string, { server: Server; sockets: Set<Socket> }>();
  readonly #port: number;
  readonly #target: (serverId: string) => number;
  /** Address → the server that it leads to. */
  #servers = new Map<string, string>();

  /** @param port that guests serve on @param target the port on 127.0.0.1 that answers for a guest */
  constructor(port: number, target: (serverId: string) => number) {
    const network = `127.${randomInt(64, 128)}.${randomInt(256)}`;
    this.external = { cidr: `${network}.0/24`, gatewayIp: `${network}.1` };
    this.#port = port;
    this.#target = target;
  }

  async start(): Promise<void> {}

  async apply({ routers, ports }: NetworkingPlan): Promise<void> {
    const plugged = new Map(
      ports.flatMap(({ serverId, fixedIps }) =>
        serverId === null ? [] : fixedIps.map((ip) => [ip, serverId] as const),
      ),
    );
    this.#servers = new Map(
      routers.flatMap(({ floatingIps }) =>
        floatingIps.flatMap(({ floatingIp, fixedIp }) => {
          const serverId = plugged.get(fixedIp);
          return serverId === undefined ? [] : [[floatingIp, serverId] as const];
        }),
      ),
    );
    const wanted = [...this.#servers.keys()];
    for (const address of this.#open.keys()) if (!wanted.includes(address)) await this.#close(address);
    for (const address of wanted) if (!this.#open.has(address)) await this.#listen(address);
  }

  async destroy(): Promise<void> {
    for (const address of this.#open.keys()) await this.#close(address);
  }

  async #listen(address: string): Promise<void> {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const guest = connect(this.#target(this.#servers.get(address) ?? ""), "127.0.0.1");
      const ends = [client, guest];
      for (const end of ends) {
        sockets.add(end);
        const leave = () => {
          for (const one of ends) one.destroy();
          sockets.delete(end);
        };
        end.on("error", leave).on("close", leave);
      }
      client.pipe(guest).pipe(client);
    });
    this.#open.set(address, { server, sockets });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(this.#port, address, resolve);
    });
  }

  async #close(address: string): Promise<void> {
    const { server, sockets } = this.#open.get(address) ?? {};
    this.#open.delete(address);
    const closed = new Promise((resolve) => server?.close(resolve));
    for (const socket of sockets ?? []) socket.destroy();
    await closed;
  }
}
