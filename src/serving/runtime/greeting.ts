import { connect } from "node:net";
import { FrameKind, FrameReader } from "./frames.ts";

/** Whether a runtime greets at this socket within so many milliseconds, and takes questions. */
export function greets(socketPath: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const reader = new FrameReader();
    const end = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
    socket.on("data", (chunk) => {
      try {
        const [first] = reader.push(chunk);
        if (first) end(first.kind === FrameKind.hello);
      } catch {
        end(false);
      }
    });
  });
}
