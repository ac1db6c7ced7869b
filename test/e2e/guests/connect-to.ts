import { connect } from "node:net";

/** How an attempt to connect ended; a security group lets it time out. */
export function connectTo(host: string, port: number, timeoutMs = 1500): Promise<"connected" | "refused" | "timeout"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const settle = (outcome: "connected" | "refused" | "timeout") => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once("connect", () => settle("connected"));
    socket.once("timeout", () => settle("timeout"));
    socket.once("error", () => settle("refused"));
  });
}
