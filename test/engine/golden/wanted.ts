import type { Difference } from "./difference.ts";

/** A way in which the embedded engine is meant to differ from what was recorded. */
export interface Wanted {
  /** What is different, for people. */
  name: string;
  why: string;
  /** The recordings that show it; it must occur in each of them. */
  in: string[];
  covers(difference: Difference): boolean;
}

/** Each difference that is found must be covered here, and each entry must cover one in each recording that it names. */
export const wanted: Wanted[] = [
  {
    name: "no fixed waits",
    why: "the official provider sleeps 5 to 10 s before the first look at what it made or removed, however ready that is",
    in: ["v3-lifecycle", "v3-wide", "v3-errors"],
    covers: ({ part }) => part === "wait",
  },
  {
    name: "secret metadata is not in clear text",
    why: "the official provider repeats it in `allMetadata`, where nobody knows that it is secret",
    in: ["v3-lifecycle", "v3-drift"],
    covers: ({ what, recorded, ours }) =>
      /^(Instance::\S+ outputs|\S+ Instance::\S+) allMetadata note$/.test(what) && ours === `{"$secret":${recorded}}`,
  },
  {
    name: "what will be secret is so before it is known",
    why: "the official events leave a private key out of a preview, as they leave out whatever is not known",
    in: ["v3-lifecycle"],
    covers: ({ part, what }) => part === "foreseen" && /^create Keypair::\S+ privateKey$/.test(what),
  },
  {
    name: "a server that ended in ERROR shows Nova's fault",
    why: "the official provider says `last error: %!s(<nil>)`, and leaves in the state what was planned, as if the server were well",
    in: ["v3-errors"],
    covers: ({ run, part, what, ours = "" }) =>
      run.startsWith("c3-") &&
      ((part === "state" && /^Instance::second initErrors /.test(what) && ours.includes("No valid host was found")) ||
        (part === "state" && /^Instance::second outputs /.test(what)) ||
        (part === "read" && /^nova GET \/v2\.1\/servers\/<Instance::second>\/tags$/.test(what))),
  },
  {
    name: "a rule for all ports is no drift",
    why: "Neutron stores 1 to 65535 as no range; the official provider replaces such a rule at each `up`, and meets the old one: 409",
    in: ["v3-drift"],
    covers: ({ part, what }) =>
      what === "failed" ||
      what.startsWith("SecGroupRule::mutual") ||
      (part === "calls" &&
        what.startsWith("neutron /v2.0/security-group-rules ") &&
        what.includes('"port_range_max":65535')),
  },
  {
    name: "objects are read by their ids",
    why: "a list filtered by id, or by the status ACTIVE, does not tell an object that is gone from one that is not up yet",
    in: ["v3-lifecycle", "v3-wide", "v3-errors"],
    covers: ({ part, what }) =>
      part === "read" &&
      (/^neutron GET \/v2\.0\/(networks|ports)\?id=<[^>]+>(&status=ACTIVE)?$/.test(what) ||
        /^neutron GET \/v2\.0\/(networks|ports)\/<[^>]+>$/.test(what)),
  },
  {
    name: "a floating IP's pool is looked for among external networks",
    why: "a network of the project's own may have the same name",
    in: ["v3-lifecycle", "v3-wide"],
    covers: ({ part, what }) =>
      part === "read" && /^neutron GET \/v2\.0\/networks\?name=public(&router:external=true)?$/.test(what),
  },
  {
    name: "a flavour is looked for by name as `getFlavor` looks for it",
    why: "an administrator's private flavours are found too",
    in: ["v3-wide", "v3-errors"],
    covers: ({ part, what }) => part === "read" && /^nova GET \/v2\.1\/flavors\/detail(\?is_public=None)?$/.test(what),
  },
  {
    name: "a look-up without a result lists what there is",
    why: "the message names the images that could have been meant",
    in: ["v3-errors"],
    covers: ({ run, part, what }) =>
      run.startsWith("c2-") && part === "read" && what.startsWith("glance GET /v2/images?"),
  },
  {
    name: "no call that is known to fail",
    why: "the official provider asks for a server group's `policy` at a microversion that does not know it, and then for `policies`",
    in: ["v3-wide", "v3-errors"],
    covers: ({ part, what, ours }) =>
      part === "calls" && ours === undefined && /^nova \/v2\.1\/os-server-groups .*"policy":/.test(what),
  },
  {
    name: "a volume is detached once",
    why: "the official provider repeats DELETE while it polls, and takes the 400 of the repetition for progress",
    in: ["v3-lifecycle"],
    covers: ({ part, recorded = "", ours = "" }) =>
      part === "calls" && recorded.includes(" → 400") && withoutFailures(recorded) === ours,
  },
  {
    name: "tags are set after the object is changed",
    why: "what is left to do after a create that was cut off is done by the same code, and tags are part of it",
    in: ["v3-wide"],
    covers: ({ part, recorded = "", ours = "" }) =>
      part === "calls" && recorded.includes("/tags ") && recorded !== ours && sameCalls(recorded, ours),
  },
];

function withoutFailures(calls: string): string {
  return JSON.stringify((JSON.parse(calls) as string[]).filter((call) => !/ → 4\d\d$/.test(call)));
}

function sameCalls(recorded: string, ours: string): boolean {
  const inOrder = (calls: string) => JSON.stringify((JSON.parse(calls || "[]") as string[]).sort());
  return inOrder(recorded) === inOrder(ours);
}
