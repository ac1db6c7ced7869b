/** Where things lie on a host. `root` is "" on a real one, a folder in tests. */
export function guestPaths(root: string = process.env.SLIPWAY_ROOT ?? "") {
  const etc = `${root}/etc/slipway`;
  const lib = `${root}/var/lib/slipway`;
  const opt = `${root}/opt/slipway`;
  return {
    host: `${etc}/host.json`,
    roles: `${etc}/roles.d`,
    serving: `${etc}/serving.json`,
    /** The same services for other tools; where they run in containers. */
    compose: `${etc}/compose.yaml`,
    queueConfig: `${etc}/queue.conf`,
    queuePassword: `${etc}/queue.password`,
    /** Hashes, for the frontend. */
    tokens: `${etc}/tokens.json`,
    /** What AIEngine's listener reads, PEM. */
    aiengine: { cert: `${etc}/aiengine/cert.pem`, key: `${etc}/aiengine/key.pem`, ca: `${etc}/aiengine/ca.pem` },
    /** Where `slipway` leaves private keys, over SSH; root's alone. */
    keys: `${lib}/keys`,
    /** With which the gate asks; root's alone. */
    gateToken: `${etc}/gate.token`,
    /** The signed document that stage 0 verified. */
    manifest: `${lib}/manifest`,
    /** What this host acted upon last, and what serves. */
    release: `${lib}/release.json`,
    /** What serves, and the newest release: written by the agent, told by the frontend. */
    releaseStatus: `${lib}/releases/current.json`,
    /** Releases that ended, a line each. */
    releaseHistory: `${lib}/releases.jsonl`,
    models: `${lib}/models`,
    frontendState: `${lib}/frontend`,
    aiengineState: `${lib}/aiengine`,
    queueData: `${lib}/queue`,
    /** What is pushed to by git: the home of the user that pushes log in as. */
    git: {
      home: `${lib}/git`,
      keys: `${lib}/git/.ssh/authorized_keys`,
      /** The one command of a deploy key. */
      receive: `${lib}/git/receive`,
      hooks: `${lib}/git/hooks`,
      repository: `${lib}/git/model.git`,
      /** Where the hook, which is nobody, leaves what the agent shall release. */
      spool: `${lib}/git/spool`,
      /** Tables that models are judged by, under their digests. */
      tables: `${lib}/git/tables`,
    },
    /** What the agent has taken out of the spool; root's alone. */
    pushes: `${lib}/pushes`,
    layers: `${opt}/layers`,
    payloads: `${opt}/payloads`,
    /** Symbolic link to the payload that the units start from. */
    currentPayload: `${opt}/current`,
    units: `${root}/etc/systemd/system`,
    /** Has a link for each unit that starts at every boot. */
    enabledUnits: `${root}/etc/systemd/system/multi-user.target.wants`,
    /** The same for sockets. */
    enabledSockets: `${root}/etc/systemd/system/sockets.target.wants`,
    journal: `${root}/var/log/slipway/journal.log`,
    runtimeDir: `${root}/run/slipway`,
    /** Has a file for each instance of the frontend that a release holds back. */
    holds: `${root}/run/slipway-agent`,
    /** Has the sockets on which those are asked by the release alone. */
    heldSockets: `${root}/run/slipway-frontend`,
  };
}

export type GuestPaths = ReturnType<typeof guestPaths>;
