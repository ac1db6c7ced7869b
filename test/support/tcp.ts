import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

/** How a TCP connection to a port ends: whatever the machine refuses it with is "refused", silence is "timed out". */
export function connectTo(
  host: string,
  port: number,
  timeoutMs = 2000,
): Promise<"connected" | "refused" | "timed out"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const settle = (outcome: "connected" | "refused" | "timed out") => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once("connect", () => settle("connected"));
    socket.once("timeout", () => settle("timed out"));
    socket.once("error", () => settle("refused"));
  });
}

/** A port of loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
