import type { AnsweredRequest } from "../http/request-log.ts";

/** How many are remembered for who comes later. */
const kept = 200;

/** The requests that were answered last, and who follows what is added. */
export class RecentRequests {
  #last: AnsweredRequest[] = [];
  readonly #followers = new Set<(request: AnsweredRequest) => void>();

  add(request: AnsweredRequest): void {
    this.#last = [...this.#last.slice(1 - kept), request];
    for (const follow of this.#followers) follow(request);
  }

  /** In the order of the answers. */
  get last(): readonly AnsweredRequest[] {
    return this.#last;
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Calls `follow` for each that is added from now on. @returns ends that */
  follow(follow: (request: AnsweredRequest) => void): () => void {
    this.#followers.add(follow);
    return () => void this.#followers.delete(follow);
  }
}
