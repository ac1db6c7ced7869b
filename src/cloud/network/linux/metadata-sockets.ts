import type { RequestListener } from "node:http";
import type { Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../../common/errors.ts";
import { Turns } from "../../../common/turns.ts";
import { type Listener, serveOn } from "../../http/listen.ts";
import { metadataAddress, metadataPort } from "./names.ts";
import { listenInNamespace } from "./namespace-listener.ts";

/** Guests of one network cannot use up the process's files, and one guest not what the others of its network have. */
const limits = { inAll: 256, each: 16 };

/** Each is a process that starts: a cloud of many networks makes them one after the other, and answers meanwhile. */
const madeAtOnce = 2;

/** After so many attempts it is told; they go on. */
const toldAfter = 3;
const pauses = { firstMs: 500, longestMs: 30_000 };

interface Socket {
  /** Settles once it listens; undefined where it is not wanted any more before. */
  listening: Promise<Pick<Listener, "close"> | undefined>;
  unwanted: AbortController;
}

/**
 * The metadata service's sockets, one in each network's namespace. They are made in the background: guests take longer to boot. What could not be
 * made is tried again until it is, or is not wanted any more.
 */
export class MetadataSockets {
  readonly #turns = new Turns();
  readonly #make: typeof listenInNamespace;
  readonly #listenerFor: (networkId: string) => RequestListener;
  readonly #log: (line: string) => void;
  readonly #sockets = new Map<string, Socket>();
  #asked = 0;

  /** @param make makes a socket in a namespace */
  constructor(
    listenerFor: (networkId: string) => RequestListener,
    log: (line: string) => void,
    make: typeof listenInNamespace = listenInNamespace,
  ) {
    this.#listenerFor = listenerFor;
    this.#log = log;
    this.#make = make;
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
        const made = await this.#madeInTurn(namespace, unwanted);
        return await serveOn(made, this.#listenerFor(networkId), limits);
      } catch (error) {
        if (unwanted.aborted) return undefined;
        if (attempt === toldAfter) {
          this.#log(`no metadata yet for the guests of network ${networkId}: ${messageOf(error)}`);
        }
        const pauseMs = Math.min(pauses.firstMs * 2 ** (attempt - 1), pauses.longestMs);
        await sleep(pauseMs, undefined, { signal: unwanted }).catch(() => undefined);
        if (unwanted.aborted) return undefined;
      }
    }
  }

  /** One that is not wanted any more gives its place up at once where it only waits. */
  #madeInTurn(namespace: string, unwanted: AbortSignal): Promise<Server> {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(unwanted.reason);
      unwanted.addEventListener("abort", giveUp, { once: true });
      void this.#turns.run(String(this.#asked++ % madeAtOnce), async () => {
        unwanted.removeEventListener("abort", giveUp);
        if (unwanted.aborted) return;
        try {
          resolve(await this.#make(namespace, metadataAddress, metadataPort, unwanted));
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
