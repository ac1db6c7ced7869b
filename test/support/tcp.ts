import { connect } from "node:net";

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
