/** Exit codes by class of failure; documented in docs/reference/exit-codes.md. */
export const ExitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  preflight: 3,
  provisioning: 4,
  bootstrap: 5,
  gate: 6,
  locked: 7,
  timeout: 8,
  leftovers: 9,
  interrupted: 130,
} as const;

const entry = (exitCode: number, title: string) => ({ exitCode, title });

/** Every error code with its exit code and a title. Each has a page `docs/errors/<code>.md`; a test compares the two lists. */
export const errorCatalogue = {
  // everything that is thrown without a code
  E_BUG: entry(ExitCode.bug, "Slipway did something that it should not"),
  // usage and configuration
  E_USAGE: entry(ExitCode.usage, "The command line is not understood"),
  E_CONFIG_INVALID: entry(ExitCode.usage, "The stack's configuration is not valid"),
  E_STACK_UNKNOWN: entry(ExitCode.usage, "There is no such stack"),
  E_CLOUD_MISMATCH: entry(ExitCode.usage, "The stack belongs to another cloud"),
  E_PASSPHRASE_WRONG: entry(ExitCode.usage, "The passphrase does not open the stack's secrets"),
  E_STATE_DAMAGED: entry(ExitCode.usage, "The stack's checkpoint cannot be read"),
  E_MODEL_INVALID: entry(ExitCode.usage, "The model cannot be imported"),
  E_MODEL_MISMATCH: entry(ExitCode.usage, "The model's description and its weights do not belong together"),
  E_MODEL_LAYER_UNKNOWN: entry(ExitCode.usage, "The model has a layer that Slipway does not know"),
  E_MODEL_UNKNOWN: entry(ExitCode.usage, "The registry has no such model or version"),
  E_MODEL_IN_USE: entry(ExitCode.usage, "The model version is in service"),
  E_TRAINING_INVALID: entry(ExitCode.usage, "What a training is asked for, or its data, is not right"),
  E_TEMPLATE: entry(ExitCode.usage, "A cloud-init template cannot be rendered"),
  E_USERDATA_TOO_LARGE: entry(ExitCode.usage, "The user-data is larger than Nova accepts"),
  E_USERDATA_SECRET: entry(ExitCode.usage, "The user-data holds a secret"),
  E_UNSUPPORTED: entry(ExitCode.usage, "The embedded engine or cloud does not do this"),
  // preflight
  E_CREDENTIALS_MISSING: entry(ExitCode.preflight, "No credentials for a cloud were found"),
  E_AUTH_FAILED: entry(ExitCode.preflight, "The cloud refused the credentials"),
  E_CLOUD_UNREACHABLE: entry(ExitCode.preflight, "The cloud does not answer"),
  E_PORT_IN_USE: entry(ExitCode.preflight, "A port is already in use"),
  E_LOOKUP: entry(ExitCode.preflight, "A name was not found, or found more than once"),
  E_PAYLOAD_MISSING: entry(ExitCode.preflight, "Nothing is published for the hosts to install"),
  E_ENGINE_MISSING: entry(ExitCode.preflight, "The official engine is not installed here"),
  E_PLUGIN: entry(ExitCode.preflight, "A provider plugin is missing or does not work"),
  E_HOST_PACKAGES: entry(ExitCode.preflight, "This machine lacks what real guests need"),
  E_DEVICE_MISSING: entry(ExitCode.preflight, "The host lacks the device that a runtime is to compute on"),
  E_ADDRESS_RANGE: entry(ExitCode.preflight, "The external address range clashes with the machine's own"),
  E_QUOTA: entry(ExitCode.preflight, "The project's quota has no room for it"),
  // provisioning
  E_PROGRAM_FAILED: entry(ExitCode.provisioning, "The Pulumi program failed"),
  E_UPDATE_FAILED: entry(ExitCode.provisioning, "A resource could not be created, changed or deleted"),
  E_STATE_UNWRITABLE: entry(ExitCode.provisioning, "The stack's state cannot be written"),
  E_CLOUD_API: entry(ExitCode.provisioning, "The cloud refused a request"),
  E_FLOATING_IP: entry(ExitCode.provisioning, "The floating IP could not be associated"),
  E_BACKUP_FAILED: entry(ExitCode.provisioning, "The backup could not be made"),
  // bootstrap, gate
  E_BOOTSTRAP_FAILED: entry(ExitCode.bootstrap, "The host could not contextualize itself"),
  E_SSH: entry(ExitCode.bootstrap, "The host cannot be logged in to"),
  E_HOST_KEY: entry(ExitCode.bootstrap, "The host does not present a key that is known"),
  E_GATE_FAILED: entry(ExitCode.gate, "The release did not pass its gate"),
  E_UNHEALTHY: entry(ExitCode.gate, "The endpoint does not serve what it should"),
  E_TRAINING_FAILED: entry(ExitCode.gate, "The training ended without a model"),
  // locks, time, leftovers
  E_LOCKED: entry(ExitCode.locked, "Another operation holds the stack's lock"),
  E_TIMEOUT: entry(ExitCode.timeout, "A deadline passed"),
  E_LEFTOVERS: entry(ExitCode.leftovers, "Something is left after the teardown"),
  E_INTERRUPTED: entry(ExitCode.interrupted, "Interrupted"),
} as const;

/** A documented error code. */
export type ErrorCode = keyof typeof errorCatalogue;
