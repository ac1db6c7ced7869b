import { spawn } from "node:child_process";
import type { Server } from "node:net";
import { netnsFolder } from "./netns.ts";

/** What the child does: it listens, hands its socket over, and ends; also where whom it works for is gone. */
const child = `
const { createServer } = require("node:net");
const [host, port] = process.argv.slice(1);
process.once("disconnect", () => process.exit());
const server = createServer();
server.once("error", (error) => process.send({ error: error.message }, () => process.exit(1)));
server.listen({ host, port: Number(port) }, () => process.send({}, server));
process.once("message", () => process.exit());
`;

/** A child starts in a tenth of a second; on a busy machine in some. */
const timeoutMs = 30_000;

/**
 * A socket that listens in a network namespace and belongs to this process, which itself stays where it is: a socket keeps the namespace
 * that it was made in.
 * @param unwanted ends the attempt
 * @throws Error where the address is not there, or taken
 */
export function listenInNamespace(
  namespace: string,
  host: string,
  port: number,
  unwanted: AbortSignal,
): Promise<Server> {
  unwanted.throwIfAborted();
  const { NODE_OPTIONS: _, ...env } = process.env;
  const maker = spawn(
    "nsenter",
    [`--net=${netnsFolder}/${namespace}`, process.execPath, "--eval", child, host, String(port)],
    { stdio: ["ignore", "ignore", "pipe", "ipc"], env },
  );
  return new Promise((resolve, reject) => {
    let complaint = "";
    maker.stderr?.on("data", (piece) => {
      complaint += String(piece).slice(0, 1000);
    });
    const giveUp = () => maker.kill("SIGKILL");
    const timer = setTimeout(giveUp, timeoutMs);
    unwanted.addEventListener("abort", giveUp, { once: true });
    maker.once("error", reject);
    maker.once("close", (status, signal) => {
      clearTimeout(timer);
      unwanted.removeEventListener("abort", giveUp);
      reject(new Error(`no socket in ${namespace}: ${complaint.trim() || (signal ?? `status ${status}`)}`));
    });
    maker.once("message", (message: { error?: string }, socket) => {
      maker.send("taken", () => undefined);
      if (socket === undefined) reject(new Error(`no socket in ${namespace}: ${message.error}`));
      else resolve(socket as Server);
    });
  });
}
