/** Where things lie on a host. `root` is "" on a real one, a folder in tests. */
export function guestPaths(root: string = process.env.SLIPWAY_ROOT ?? "") {
  const etc = `${root}/etc/slipway`;
  const lib = `${root}/var/lib/slipway`;
  const opt = `${root}/opt/slipway`;
  return {
    host: `${etc}/host.json`,
    roles: `${etc}/roles.d`,
    serving: `${etc}/serving.json`,
    queueConfig: `${etc}/queue.conf`,
    queuePassword: `${etc}/queue.password`,
    /** The signed document that stage 0 verified. */
    manifest: `${lib}/manifest`,
    /** What this host acted upon last, and what serves. */
    release: `${lib}/release.json`,
    models: `${lib}/models`,
    frontendState: `${lib}/frontend`,
    queueData: `${lib}/queue`,
    layers: `${opt}/layers`,
    payloads: `${opt}/payloads`,
    /** Symbolic link to the payload that the units start from. */
    currentPayload: `${opt}/current`,
    units: `${root}/etc/systemd/system`,
    journal: `${root}/var/log/slipway/journal.log`,
    runtimeDir: `${root}/run/slipway`,
  };
}

export type GuestPaths = ReturnType<typeof guestPaths>;
