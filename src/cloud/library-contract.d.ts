/*
 * What `slipway/cloud` gives to other projects. It needs nothing else to be understood, and changes only by additions: a field that is
 * there stays, with its meaning.
 */

/** How a cloud is started. */
export interface CloudOptions {
  /** Where it keeps its state. Absent: a folder of its own, which goes when the cloud is closed. */
  stateDir?: string;
  /** TCP port on 127.0.0.1; 0 or absent: the one that this state had before, else any that is free. */
  port?: number;
  /**
   * What makes the guests: `fake` (the default), records that boot nothing; `nspawn`, real Debian guests, where this machine can run
   * them and this process is root; `auto`, the one or else the other.
   */
  hypervisor?: "fake" | "nspawn" | "qemu" | "auto";
  /** How long a fake guest takes to boot, milliseconds; 0 unless told otherwise. */
  bootMs?: number;
  /** How long tokens live, milliseconds; an hour unless told otherwise. */
  tokenLifetimeMs?: number;
  /** What all guests are told as vendordata (`vendor_data.json`), any JSON; nothing unless given. */
  vendorData?: unknown;
  /** Told what the cloud would write into its log. */
  log?: (line: string) => void;
}

/** Whose login: of a user with a project of its own, or of the cloud's administrator. */
export type CloudUser = "demo" | "admin";

/** A login by password, in the domain `Default`. */
export interface CloudLogin {
  username: string;
  password: string;
  projectName: string;
}

/** A fault that was armed, and what it has done. */
export interface CloudFault {
  /** Its full name, e.g. `P03:fip-stolen`. */
  id: string;
  /** How often it may strike; null: until it is disarmed. */
  times: number | null;
  /** How often it has struck. */
  struck: number;
}

/** How a fault is armed; what is absent is as the fault itself says. */
export interface FaultArming {
  /** How often it strikes. */
  times?: number;
  /** Strike at about every second occasion: at the same ones for the same seed. */
  seed?: string;
  /** How long it holds something up, milliseconds. */
  delayMs?: number;
}

/** How a cloud's time stands. */
export interface CloudTime {
  /** RFC 3339. */
  now: string;
  frozen: boolean;
  /** When the next of what waits is due, RFC 3339; null where nothing waits. */
  next: string | null;
  /** How much waits: boots, stops, what faults hold up. */
  waiting: number;
}

/** Moves the time that a cloud with fake guests lives by; with real ones each call throws. */
export interface CloudClock {
  time(): CloudTime;
  /** Stands still from now on. */
  freeze(): CloudTime;
  /** Goes on from where it stands. */
  resume(): CloudTime;
  /** Goes further; what was due until then has happened when this resolves, in the order of its times. Milliseconds. */
  advance(ms: number): Promise<CloudTime>;
  /** Goes to the time of the next of what waits; where nothing waits, it stays. */
  advanceToNext(): Promise<CloudTime>;
}

/** A cloud that answers. */
export interface Cloud extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/identity/v3` */
  readonly authUrl: string;
  readonly port: number;
  readonly hypervisor: "fake" | "nspawn" | "qemu";
  readonly credentials: Readonly<Record<CloudUser, CloudLogin>>;
  /** A clouds.yaml with the entries `slipway` (demo) and `slipway-admin`. */
  readonly cloudsFile: string;
  /** The same as variables that every OpenStack client reads: `OS_AUTH_URL`, `OS_USERNAME` and so on. */
  env(user?: CloudUser): Record<string, string>;
  /** The faults of docs/reference/faults.md. */
  readonly faults: {
    /** Arms one, by row or name; again: begins anew. Throws for a text that means none, or several. */
    arm(fault: string, arming?: FaultArming): CloudFault;
    /** Disarms those of a row or name, or all, and undoes what they left. Resolves to the names of those that were armed. */
    disarm(fault?: string): Promise<string[]>;
    /** What is armed. */
    list(): CloudFault[];
  };
  readonly clock: CloudClock;
  /** Resolves when nothing is being done with servers and volumes any more. */
  idle(): Promise<void>;
  /** Ends it. A state folder that was given stays, and guests that are real run on; of one that was not, nothing is left. Once: asked again, it does nothing more. */
  close(): Promise<void>;
}

/** Starts an OpenStack in this process. */
export declare function startCloud(options?: CloudOptions): Promise<Cloud>;
