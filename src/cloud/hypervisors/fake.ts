import { sleep } from "../clock/clock.ts";
import type { GuestDisk, GuestSpec, GuestState, Hypervisor } from "./hypervisor.ts";
import { lastLines } from "./nspawn/console.ts";

export interface FakeOptions {
  /** How long a boot takes by the cloud's clock, milliseconds. */
  bootMs?: number;
  /** How long a guest takes to shut down when it is asked to. */
  stopMs?: number;
  /** The reason why this guest does not boot, or undefined. */
  failBoot?: (spec: GuestSpec) => string | undefined;
  /** The console text of a running guest, asked for at each look. */
  console?: (spec: GuestSpec) => string;
}

/** Guests that exist on paper: for tests of everything above them, and for scale. They answer no packet. */
export class FakeHypervisor implements Hypervisor {
  readonly kind = "fake";
  readonly rescues = true;
  readonly #options: FakeOptions;
  /** How long what begins from now on takes, milliseconds. */
  readonly delays: { bootMs: number; stopMs: number };
  /** `adopted`: runs since before this process, and no boot of it is known. */
  readonly #guests = new Map<string, { spec: GuestSpec; state: "running" | "stopped" | "adopted" }>();
  readonly #listeners: ((id: string) => void)[] = [];

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.delays = { bootMs: options.bootMs ?? 0, stopMs: options.stopMs ?? 0 };
  }

  async boot(spec: GuestSpec): Promise<void> {
    if (this.#guests.get(spec.id)?.state === "running") return;
    this.#guests.set(spec.id, { spec, state: "stopped" });
    await sleep(this.delays.bootMs);
    const reason = this.#options.failBoot?.(spec);
    if (reason !== undefined) throw new Error(reason);
    if (this.#guests.has(spec.id)) this.#guests.set(spec.id, { spec, state: "running" });
  }

  async stop(id: string, { soft, timeoutMs }: { soft: boolean; timeoutMs: number }): Promise<void> {
    const guest = this.#guests.get(id);
    if (guest === undefined || guest.state === "stopped") return;
    if (soft) await sleep(Math.min(this.delays.stopMs, timeoutMs));
    guest.state = "stopped";
  }

  async wipe(id: string): Promise<void> {
    this.#guests.delete(id);
  }

  async destroy(id: string): Promise<void> {
    await this.wipe(id);
  }

  async attachDisk(id: string, disk: GuestDisk): Promise<void> {
    await this.detachDisk(id, disk.device);
    this.#setDisks(id, [...this.disks(id), disk]);
  }

  async detachDisk(id: string, device: string): Promise<void> {
    this.#setDisks(
      id,
      this.disks(id).filter((disk) => disk.device !== device),
    );
  }

  async growDisk(): Promise<void> {
    // a file's length is not looked at
  }

  /** The disks that the guest has now. */
  disks(id: string): GuestDisk[] {
    return this.#guests.get(id)?.spec.disks ?? [];
  }

  /** The volume that the guest runs from. */
  rootDisk(id: string): GuestDisk | undefined {
    return this.#guests.get(id)?.spec.rootDisk;
  }

  #setDisks(id: string, disks: GuestDisk[]): void {
    const guest = this.#guests.get(id);
    if (guest !== undefined) guest.spec = { ...guest.spec, disks };
  }

  async pause(): Promise<void> {
    // nothing goes on that would have to be held
  }

  async unpause(): Promise<void> {
    // as above
  }

  async state(id: string): Promise<GuestState> {
    const state = this.#guests.get(id)?.state ?? "absent";
    return state === "adopted" ? "running" : state;
  }

  async console(id: string, lines?: number): Promise<string> {
    const guest = this.#guests.get(id);
    if (guest === undefined) return "";
    const text = this.#options.console?.(guest.spec) ?? `${guest.spec.hostname} login: \n`;
    return lastLines(text, lines);
  }

  onExit(listener: (id: string) => void): void {
    this.#listeners.push(listener);
  }

  /** As if the guest had powered itself off. */
  powerOff(id: string): void {
    const guest = this.#guests.get(id);
    if (guest === undefined) return;
    guest.state = "stopped";
    for (const listener of this.#listeners) listener(id);
  }

  /** Pretended guests outlive the cloud's process as real ones do. */
  async recover(known: GuestSpec[]): Promise<void> {
    const ids = new Set(known.map((spec) => spec.id));
    for (const id of this.#guests.keys()) if (!ids.has(id)) this.#guests.delete(id);
    for (const spec of known) if (!this.#guests.has(spec.id)) this.#guests.set(spec.id, { spec, state: "adopted" });
  }

  async close(): Promise<void> {
    // nothing runs
  }
}
