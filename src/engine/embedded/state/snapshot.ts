import type { Deployment, PendingOperation, PendingType } from "./checkpoint.ts";
import type { ResourceState } from "./resource-state.ts";

/**
 * The state while an operation runs: what the program has registered so far, in order of completion, then what it has not reached
 * yet, then what is under way (pulumi/pulumi, pkg/backend/snapshot.go). That order is a valid one at every moment.
 */
export class Snapshot {
  readonly #old: ResourceState[];
  readonly #fresh: ResourceState[] = [];
  readonly #done = new Set<ResourceState>();
  readonly #pending: Set<PendingOperation>;
  readonly #loaded: Deployment;
  readonly #write: ((deployment: Deployment) => Promise<void>) | undefined;
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  /** @param write saves durably; left out in previews, which save nothing */
  constructor(loaded: Deployment, write?: (deployment: Deployment) => Promise<void>) {
    this.#old = loaded.resources;
    // Only creations can have left something that the state does not know; the rest is looked at by the next diff.
    this.#pending = new Set(loaded.pending.filter((operation) => operation.type === "creating"));
    this.#loaded = loaded;
    this.#write = write;
  }

  /** Every resource, in an order in which whatever a resource names stands before it. */
  resources(): ResourceState[] {
    return [...this.#fresh, ...this.#old].filter((state) => !this.#done.has(state));
  }

  /** What the last operation left and this one has not superseded, in the file's order. */
  remaining(): ResourceState[] {
    return this.#old.filter((state) => !this.#done.has(state));
  }

  /** The live resource of a URN that the last operation left. */
  old(urn: string): ResourceState | undefined {
    return this.remaining().find((state) => state.urn === urn && !state.delete);
  }

  /** The live resource of a URN, this run's first. */
  current(urn: string): ResourceState | undefined {
    return this.resources().find((state) => state.urn === urn && !state.delete);
  }

  /** What the last operation had begun and not ended when it stopped. */
  interrupted(): readonly PendingOperation[] {
    return this.#loaded.pending;
  }

  /** Creations that an earlier run began, and of which nobody has said yet what became of them. */
  interruptedCreations(): PendingOperation[] {
    return this.#loaded.pending.filter((operation) => this.#pending.has(operation));
  }

  /** Adds a resource of this run; `supersedes` leaves the state. */
  put(state: ResourceState, supersedes?: ResourceState): void {
    if (supersedes !== undefined) this.#done.add(supersedes);
    this.#fresh.push(state);
  }

  /** Takes another list for what the last operation left, before anything is registered. */
  rebase(resources: readonly ResourceState[]): void {
    this.#old.splice(0, this.#old.length, ...resources);
  }

  /** Takes a resource that an interrupted run made as if the last operation had left it. */
  adopt(state: ResourceState): void {
    this.#old.push(state);
  }

  remove(state: ResourceState): void {
    this.#done.add(state);
  }

  /** Notes an operation; it is on disk when this resolves, so that no crash can hide what the provider is asked next. */
  async begin(type: PendingType, resource: ResourceState): Promise<PendingOperation> {
    const operation = { type, resource };
    this.#pending.add(operation);
    await this.save();
    return operation;
  }

  /** Strikes an operation from the list; saved with the next {@link save}. */
  end(operation: PendingOperation): void {
    this.#pending.delete(operation);
  }

  /** Resolves when a write that began after this call is on disk. Calls while one is waiting share it. */
  save(): Promise<void> {
    const write = this.#write;
    if (write === undefined) return Promise.resolve();
    this.#queued ??= this.#settled().then(() => {
      this.#queued = undefined;
      this.#writing = write({
        ...this.#loaded,
        resources: this.resources(),
        pending: [...this.#pending],
      });
      return this.#writing;
    });
    return this.#queued;
  }

  /** A failed write is reported to those who waited for it, not to the next. */
  async #settled(): Promise<void> {
    await this.#writing?.catch(() => undefined);
  }
}
