import type { RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../../common/errors.ts";
import { type Listener, serveOn } from "../../http/listen.ts";
import { metadataAddress, metadataPort } from "./names.ts";
import { listenInNamespace } from "./namespace-listener.ts";

/** Connections at once in one network: guests of one cannot use up the process's files. */
const mostConnections = 256;

const attempts = 3;
const pauseMs = 500;

interface Socket {
  /** Settles once it listens; undefined where it could not be made, or is not wanted any more. */
  listening: Promise<Pick<Listener, "close"> | undefined>;
  unwanted: AbortController;
}

/** The metadata service's sockets, one in each network's namespace. They are made in the background: guests take longer to boot. */
export class MetadataSockets {
  readonly #listenerFor: (networkId: string) => RequestListener;
  readonly #log: (line: string) => void;
  readonly #sockets = new Map<string, Socket>();

  constructor(listenerFor: (networkId: string) => RequestListener, log: (line: string) => void) {
    this.#listenerFor = listenerFor;
    this.#log = log;
  }

  /** Makes those that are missing. @param networks ids of networks by their namespaces, which exist */
  open(networks: ReadonlyMap<string, string>): void {
    for (const [namespace, networkId] of networks) {
      if (this.#sockets.has(namespace)) continue;
      const unwanted = new AbortController();
      const listening = this.#listen(namespace, networkId, unwanted.signal);
      this.#sockets.set(namespace, { listening, unwanted });
    }
  }

  /** Ends those of other namespaces, which could not go as long as these are open. */
  async closeOthers(namespaces: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#sockets].filter(([namespace]) => !namespaces.has(namespace));
    await Promise.all(
      gone.map(async ([namespace, socket]) => {
        socket.unwanted.abort();
        this.#sockets.delete(namespace);
        await (await socket.listening)?.close();
      }),
    );
  }

  async #listen(
    namespace: string,
    networkId: string,
    unwanted: AbortSignal,
  ): Promise<Pick<Listener, "close"> | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const made = await listenInNamespace(namespace, metadataAddress, metadataPort, unwanted);
        return await serveOn(made, this.#listenerFor(networkId), mostConnections);
      } catch (error) {
        if (unwanted.aborted) return undefined;
        if (attempt === attempts) {
          this.#log(`no metadata for the guests of network ${networkId}: ${messageOf(error)}`);
          this.#sockets.delete(namespace); // the next change tries again
          return undefined;
        }
        await sleep(pauseMs);
      }
    }
  }
}
