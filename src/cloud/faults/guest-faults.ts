import type { CloudConfig, Fault } from "./fault.ts";

/** The config with more in front of one of its lists. */
function inFront(config: CloudConfig, key: string, ...items: unknown[]): CloudConfig {
  const present = config[key];
  return { ...config, [key]: [...items, ...(Array.isArray(present) ? present : [])] };
}

/** Holds the locks as dpkg and apt do (fcntl, not flock), behind whoever called. */
function holdLocks(seconds: number): string {
  const lines = [
    "import fcntl, time",
    'files = [open("/var/lib/dpkg/" + name, "w") for name in ("lock-frontend", "lock")]',
    "[fcntl.lockf(file, fcntl.LOCK_EX) for file in files]",
    `time.sleep(${seconds})`,
  ];
  return `setsid python3 -c '${lines.join("; ")}' >/dev/null 2>&1 &`;
}

/**
 * What goes wrong inside a guest. The cloud has no hand there; it has the config drive, and changes the user-data on it: what then
 * happens is cloud-init's own doing.
 */
export const guestFaults: Fault[] = [
  {
    row: "P16",
    name: "apt-fails",
    does: "the user-data asks for a Debian package that does not exist: cloud-init logs it and goes on",
    boot: { boot: "first", userData: (config) => inFront(config, "packages", "slipway-no-such-package") },
  },
  {
    row: "P16",
    name: "step-exits-7",
    does: "the user-data's first `runcmd` is `exit 7`: cloud-init makes one script of them, and none of the others runs",
    boot: { boot: "first", userData: (config) => inFront(config, "runcmd", "exit 7") },
  },
  {
    row: "P16",
    name: "unknown-key",
    does: "the user-data has a key that cloud-init does not know: it warns and goes on",
    boot: { boot: "first", userData: (config) => ({ ...config, no_such_module: true }) },
  },
  {
    row: "P17",
    name: "cloud-init-never-done",
    does: "the user-data's first `bootcmd` sleeps for ever: cloud-init neither fails nor ends",
    boot: { boot: "first", userData: (config) => inFront(config, "bootcmd", ["sleep", "infinity"]) },
  },
  {
    row: "P17",
    name: "ssh-late",
    does: "security group rules for port 22 take effect only 20 s, or the delay, after a server's boot",
    delayMs: 20_000,
    boot: { boot: "first" },
    plan: (plan) => ({
      ...plan,
      securityGroups: plan.securityGroups.map(({ id, rules }) => ({
        id,
        rules: rules.filter(({ direction, portMin }) => direction === "egress" || portMin !== 22),
      })),
    }),
  },
  {
    row: "P19",
    name: "apt-lock-held",
    does: "the user-data's first `bootcmd` holds dpkg's locks for 60 s, or the delay, as unattended upgrades do",
    delayMs: 60_000,
    boot: {
      boot: "first",
      userData: (config, delayMs) => inFront(config, "bootcmd", ["sh", "-c", holdLocks(delayMs / 1000)]),
    },
  },
  {
    row: "P21",
    name: "host-key-changed",
    does: "the user-data's first `bootcmd` makes new SSH host keys when a server is booted again",
    times: 1,
    boot: {
      boot: "later",
      userData: (config) => inFront(config, "bootcmd", "rm -f /etc/ssh/ssh_host_* && ssh-keygen -A"),
    },
  },
  {
    row: "P23",
    name: "ready-then-dies",
    does: "a server ends by itself 60 s, or the delay, after it was first booted, as if its host had failed: SHUTOFF",
    delayMs: 60_000,
    times: 1,
    boot: { boot: "first", dies: true },
  },
];
