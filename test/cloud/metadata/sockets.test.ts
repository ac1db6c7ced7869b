import { request } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { MetadataSockets } from "../../../src/cloud/network/linux/metadata-sockets.ts";
import { waitFor } from "../../../src/common/wait.ts";

/** Sockets on this machine's own loopback, one for each network, in place of those in namespaces. */
class Workshop {
  readonly ports = new Map<string, number>();
  readonly log: string[] = [];
  readonly sockets: MetadataSockets;
  mostAtOnce = 0;
  #atWork = 0;

  /** @param begins what each making begins with */
  constructor(begins: (namespace: string, unwanted: AbortSignal) => Promise<void>) {
    this.sockets = new MetadataSockets(
      (networkId) => (_request, response) => void response.end(networkId),
      (line) => this.log.push(line),
      async (namespace, _host, _port, unwanted) => {
        this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atWork);
        try {
          await begins(namespace, unwanted);
          const server = await listening();
          this.ports.set(namespace, (server.address() as { port: number }).port);
          return server;
        } finally {
          this.#atWork--;
        }
      },
    );
  }

  portOf(namespace: string): Promise<number> {
    return waitFor(namespace, async () => this.ports.get(namespace), { timeoutMs: 20_000, intervalMs: 5 });
  }
}

async function listening(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

let workshop: Workshop;
afterEach(() => workshop.sockets.closeOthers(new Set()));

const networks = (count: number) =>
  new Map(Array.from({ length: count }, (_, index): [string, string] => [`n${index}`, `network ${index}`]));

/** What a request from an address of the loopback's is answered; undefined where it is cut off. */
function ask(port: number, localAddress: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = request({ port, host: "127.0.0.1", localAddress, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(text));
    });
    asking.on("error", () => resolve(undefined)).end();
  });
}

it("many networks get theirs two at a time, and each its own", async () => {
  workshop = new Workshop(() => sleep(5));
  const all = networks(9);
  workshop.sockets.open(all);
  for (const [namespace, networkId] of all) {
    expect(await ask(await workshop.portOf(namespace), "127.0.0.1")).toBe(networkId);
  }
  expect(workshop.mostAtOnce).toBe(2);
});

it("one that fails is told of, and made when it can be", async () => {
  let failures = 3;
  workshop = new Workshop(async () => {
    if (failures-- > 0) throw new Error("no socket today");
  });
  workshop.sockets.open(networks(1));
  expect(await ask(await workshop.portOf("n0"), "127.0.0.1")).toBe("network 0");
  expect(workshop.log).toEqual(["no metadata yet for the guests of network network 0: no socket today"]);
}, 30_000);

it("those that are not wanted any more are neither waited for nor made", async () => {
  const begun: string[] = [];
  workshop = new Workshop((namespace, unwanted) => {
    begun.push(namespace);
    return new Promise((_resolve, reject) => unwanted.addEventListener("abort", () => reject(new Error("ended"))));
  });
  workshop.sockets.open(networks(5)); // none of which comes to an end by itself
  await waitFor("two to be begun", async () => (begun.length === 2 ? true : undefined), { timeoutMs: 10_000 });
  await workshop.sockets.closeOthers(new Set(["n0"]));
  expect(begun).toEqual(["n0", "n1"]);
  expect([workshop.ports.size, workshop.log]).toEqual([0, []]);
});

it.runIf(process.platform === "linux")("an address has 16 connections, and takes nobody else's", async () => {
  workshop = new Workshop(async () => undefined);
  workshop.sockets.open(networks(1));
  const port = await workshop.portOf("n0");
  const open: Socket[] = [];
  let cut = 0;
  for (let count = 0; count < 40; count++) {
    const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    socket.on("error", () => undefined).on("close", () => cut++);
    open.push(socket);
  }
  await waitFor("those beyond to be cut off", async () => (cut === 24 ? true : undefined), { timeoutMs: 10_000 });
  expect(await ask(port, "127.0.0.2")).toBeUndefined();
  expect(await ask(port, "127.0.0.3")).toBe("network 0");
  for (const socket of open) socket.destroy();
  const again = () => ask(port, "127.0.0.2");
  expect(await waitFor("its places to be free again", again, { timeoutMs: 10_000 })).toBe("network 0");
});
