import type { Dataplane, NetworkingPlan } from "./dataplane.ts";

/**
 * Brings the data plane to the current plan. Calls that come while one is under way share the next: ten API calls at once cost two
 * applications, and whoever awaits {@link Reconciler.reconcile} finds its change in effect.
 */
export class Reconciler {
  readonly #dataplane: Dataplane | undefined;
  readonly #plan: () => NetworkingPlan;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #applied = "";

  constructor(dataplane: Dataplane | undefined, plan: () => NetworkingPlan) {
    this.#dataplane = dataplane;
    this.#plan = plan;
  }

  /** Resolves once a plan that was computed after this call is in effect; rejects with what the data plane could not do. */
  reconcile(): Promise<void> {
    if (this.#dataplane === undefined) return Promise.resolve();
    if (this.#running === undefined) {
      this.#running = this.#apply(this.#dataplane).finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined) // whoever awaited that run was told
      .then(() => {
        this.#next = undefined;
        return this.reconcile();
      });
    return this.#next;
  }

  async #apply(dataplane: Dataplane): Promise<void> {
    const plan = this.#plan();
    const text = JSON.stringify(plan);
    if (text === this.#applied) return;
    this.#applied = "";
    await dataplane.apply(plan);
    this.#applied = text;
  }
}
