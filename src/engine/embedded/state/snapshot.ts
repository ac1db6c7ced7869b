import type { Deployment, PendingOperation, PendingType } from "./checkpoint.ts";
import { withCurrentUrns } from "./renames.ts";
import { type ResourceState, urnsBefore } from "./resource-state.ts";

/** Saves durably. @param onlyIfChanged leaves a file that says the same, in whatever order, as it is */
type Write = (deployment: Deployment, onlyIfChanged: boolean) => Promise<void>;

/**
 * The state while an operation runs: what the program has registered so far, in order of completion, then what it has not reached
 * yet, then what is under way (pulumi/pulumi, pkg/backend/snapshot.go). That order is a valid one at every moment.
 */
export class Snapshot {
  /** What the last operation left, as it was. */
  readonly loaded: readonly ResourceState[];
  readonly #known: Set<string>;
  readonly #old: ResourceState[];
  readonly #fresh: ResourceState[] = [];
  readonly #done = new Set<ResourceState>();
  readonly #kept = new Set<ResourceState>();
  readonly #renamed = new Map<string, string>();
  readonly #pending: Set<PendingOperation>;
  readonly #loaded: Deployment;
  readonly #write: Write | undefined;
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  /** @param write saves durably; left out in previews, which save nothing */
  constructor(loaded: Deployment, write?: Write) {
    this.loaded = [...loaded.resources];
    this.#known = new Set(loaded.resources.filter((state) => !state.delete).map((state) => state.urn));
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

  /** True for the URN of a live resource that the last operation left, or was making when it was interrupted. */
  isKnown(urn: string): boolean {
    return (
      this.#known.has(urn) ||
      this.#loaded.pending.some(({ type, resource }) => type === "creating" && resource.urn === urn)
    );
  }

  /** The live resource of a URN that the last operation left. */
  old(urn: string): ResourceState | undefined {
    return this.#old.find((state) => this.#isLive(state, urn));
  }

  /** What earlier runs replaced of a URN and did not come to delete. */
  retired(urn: string): ResourceState[] {
    return this.remaining().filter((state) => state.delete && state.urn === urn);
  }

  /** The live resource of a URN, this run's first. */
  current(urn: string): ResourceState | undefined {
    return this.#fresh.find((state) => this.#isLive(state, urn)) ?? this.old(urn);
  }

  #isLive(state: ResourceState, urn: string): boolean {
    return state.urn === urn && !state.delete && !this.#done.has(state);
  }

  /** True for a resource that {@link keep} has taken into this run. */
  isKept(state: ResourceState): boolean {
    return this.#kept.has(state);
  }

  /** What {@link keep} has taken into this run of a URN. */
  kept(urn: string): ResourceState | undefined {
    return [...this.#kept].find((state) => state.urn === urn && !state.delete);
  }

  /** Takes a resource as it is into this run, after all that it names, so that what registers from now on may name it. */
  keep(state: ResourceState): void {
    const index = this.#old.indexOf(state);
    if (index < 0 || this.#done.has(state) || this.#kept.has(state)) return;
    const named = urnsBefore(state);
    for (const earlier of this.#old.slice(0, index)) if (named.has(earlier.urn)) this.keep(earlier);
    this.#old.splice(this.#old.indexOf(state), 1);
    this.#fresh.push(state);
    this.#kept.add(state);
  }

  /** From now on the file has a resource, and whatever names it, under another URN. */
  rename(formerUrn: string, urn: string): void {
    if (formerUrn !== urn) this.#renamed.set(formerUrn, urn);
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
    if (supersedes !== undefined) {
      this.#done.add(supersedes);
      this.rename(supersedes.urn, state.urn);
    }
    this.#fresh.push(state);
  }

  /** Takes another list for what the last operation left, before anything is registered. */
  rebase(resources: readonly ResourceState[]): void {
    this.#old.splice(0, this.#old.length, ...resources);
  }

  /**
   * Takes a resource that an interrupted run made as if the last operation had left it.
   * @param inPlaceOf a predecessor that leaves the state: what names it stands behind it
   */
  adopt(state: ResourceState, inPlaceOf?: ResourceState): void {
    this.#known.add(state.urn);
    if (inPlaceOf === undefined) this.#old.push(state);
    else this.#old.splice(this.#old.indexOf(inPlaceOf), 1, state);
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
      this.#writing = write(this.#deployment(), false);
      return this.#writing;
    });
    return this.#queued;
  }

  /** As {@link save}, but what came to nothing leaves the file as it is. */
  async saveIfChanged(): Promise<void> {
    await this.#queued;
    await this.#settled();
    await this.#write?.(this.#deployment(), true);
  }

  #deployment(): Deployment {
    const resources = withCurrentUrns(this.resources(), this.#renamed);
    return { ...this.#loaded, resources, pending: [...this.#pending] };
  }

  /** A failed write is reported to those who waited for it, not to the next. */
  async #settled(): Promise<void> {
    await this.#writing?.catch(() => undefined);
  }
}
