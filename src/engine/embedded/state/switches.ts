/** Which form a `file://` backend's files take (pulumi/pulumi, sdk/go/common/env, the DIY backend's variables). */
export interface BackendSwitches {
  /** How checkpoints are packed; undefined: as they are packed already. */
  packing: Packing | undefined;
  /** Keeps each save under a name of its own beside the checkpoint. */
  retainCheckpoints: boolean;
  /** Keeps no copy in the backups' folder at the end of an operation. */
  disableBackups: boolean;
  /** Stacks without the project's folder, where the backend does not say itself how it is laid out. */
  legacyLayout: boolean;
}

/** The name that a packed file's own is followed by. */
export type Packing = "" | ".gz" | ".zst";

/** Reads the backend's switches; the older spelling counts where the newer one is not set. */
export function backendSwitches(env: NodeJS.ProcessEnv = process.env): BackendSwitches {
  const text = (name: string) => env[`PULUMI_DIY_BACKEND_${name}`] ?? env[`PULUMI_SELF_MANAGED_STATE_${name}`] ?? "";
  const isOn = (name: string) => /^(1|true)$/i.test(text(name));
  const isSet = text("GZIP") !== "" || text("ZSTD") !== "";
  const wanted: Packing = isOn("ZSTD") ? ".zst" : isOn("GZIP") ? ".gz" : "";
  return {
    packing: isSet ? wanted : undefined,
    retainCheckpoints: isOn("RETAIN_CHECKPOINTS"),
    disableBackups: isOn("DISABLE_CHECKPOINT_BACKUPS"),
    legacyLayout: isOn("LEGACY_LAYOUT"),
  };
}
