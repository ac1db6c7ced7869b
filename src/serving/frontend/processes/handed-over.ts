import cluster, { type Worker } from "node:cluster";
import { subscribe } from "node:diagnostics_channel";
import type { Server } from "node:net";
import { UnderWay } from "../../../common/under-way.ts";

/** What node:cluster says to a process, and back; Node documents neither. */
interface ClusterMessage {
  cmd?: string;
  act?: string;
  seq?: number;
  ack?: number;
}

const CLUSTER = "NODE_CLUSTER";
/** What a process has said is read by then, though it was gone before. */
const LAST_WORDS_MS = 100;

/**
 * Has connections that were handed to a process which ends before it has taken them go to another one. node:cluster keeps each of them
 * until the process says that it has it, and for ever where that dies: its client would wait for its own timeout, and nobody would hear
 * that the process is disconnected. Here the death stands for the answer that the process is stopping, after which node:cluster hands the
 * connection on. That is sound: a process takes note of a connection before it reads from it. With a Node whose messages are others,
 * nothing changes.
 * @returns how many connections are on their way to the process
 */
export function handOnWhenItDies({ process }: Worker): () => number {
  const open = new UnderWay<{ seq: number; handle: { close(): void } }>();
  let connected = true;
  const send = process.send.bind(process) as (...parameters: unknown[]) => boolean;
  process.send = (...parameters: unknown[]) => {
    const [{ cmd, act, seq }, handle] = parameters as [ClusterMessage, { close(): void }];
    if (cmd === CLUSTER && act === "newconn" && seq !== undefined) open.add({ seq, handle });
    return send(...parameters);
  };
  process.on("internalMessage", ({ cmd, ack }: ClusterMessage) => {
    const place = cmd === CLUSTER ? open.find(({ seq }) => seq === ack) : undefined;
    if (place) open.leave(place);
  });
  process.once("disconnect", () => {
    connected = false;
  });
  process.once("exit", () => {
    setTimeout(() => {
      // Node waits with it for as long as a connection is on its way
      if (connected) process.emit("disconnect");
      const others = Object.values(cluster.workers ?? {}).some((worker) => worker?.isConnected());
      for (const { item } of open.places()) {
        if (others) process.emit("internalMessage", { cmd: CLUSTER, ack: item.seq, accepted: false });
        else item.handle.close();
      }
    }, LAST_WORDS_MS);
  });
  return () => open.size;
}

/**
 * Follows what this process listens on for its cluster, from before its first process starts.
 * @returns closes it; connections that it has accepted still go to the processes. Otherwise node:cluster closes it when the last process
 *   does, and with it connections that were accepted in between and that nobody takes any more
 */
export function followListening(): () => void {
  const handles = new Set<{ close(): void }>();
  subscribe("tracing:net.server.listen:asyncStart", (message) => {
    const { server } = message as { server: Server & { _handle: { close(): void } | null } };
    // node:cluster takes it out of the server then
    server.prependOnceListener("listening", () => {
      if (server._handle) handles.add(server._handle);
    });
  });
  return () => {
    for (const handle of handles) handle.close();
  };
}
