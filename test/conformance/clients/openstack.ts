import { ownPrefix } from "../comparison/normalise.ts";
import { ensureBalancerClient, ensureOpenstackClient, OpenstackClient } from "../openstack-client.ts";
import { adminEntry, type Client, type Surroundings } from "../run-client.ts";

import { ipv6Tour } from "./ipv6-tour.ts";

import { administratorTour, balancerTour, networkTour, objectTour, tour } from "./openstack-tour.ts";
import { backupTour, groupTour } from "./volume-tours.ts";

const newestCinder = { OS_VOLUME_API_VERSION: "3.70" };

let python = "";
let balancerPython = "";

/** The `openstack` command, as a user calls it. */
export const openstack: Client = {
  name: "openstack",
  ensure,
  run: (surroundings) => runTour(surroundings, tour, {}),
};

/** The `openstack` command, as the cloud's administrator calls it. */
export const openstackAdministrator: Client = {
  name: "openstack-administrator",
  ensure,
  run: (surroundings) => runTour(surroundings, administratorTour, { OS_CLOUD: adminEntry }),
};

/** The same, for what stands apart from servers: it takes no time there. */
export const openstackNetwork: Client = {
  name: "openstack-network",
  ensure,
  run: (surroundings) => runTour(surroundings, networkTour, {}),
};

/** The same, about IPv6. */
export const openstackIpv6: Client = {
  name: "openstack-ipv6",
  ensure,
  run: (surroundings) => runTour(surroundings, ipv6Tour, {}),
};

/** The same, for Swift. */
export const openstackObjects: Client = {
  name: "openstack-objects",
  ensure,
  run: (surroundings) => runTour(surroundings, objectTour, {}),
};

/** The same, for backups of volumes, in the newest words of the real Cinder that it was recorded at. */
export const openstackBackups: Client = {
  name: "openstack-backups",
  ensure,
  run: (surroundings) => runTour(surroundings, backupTour, newestCinder),
};

/** The same, for groups of volumes. */
export const openstackGroups: Client = {
  name: "openstack-groups",
  ensure,
  run: (surroundings) => runTour(surroundings, groupTour, newestCinder),
};

/** The same, with the plugin for Octavia. */
export const openstackBalancers: Client = {
  name: "openstack-balancers",
  async ensure() {
    const client = await ensureBalancerClient();
    if ("reason" in client) return client;
    balancerPython = client.python;
    return { version: client.version };
  },
  run: (surroundings) => runTour(surroundings, balancerTour, {}, balancerPython),
};

async function ensure() {
  const client = await ensureOpenstackClient();
  if ("reason" in client) return client;
  python = client.python;
  return { version: client.version };
}

async function runTour(
  { env, folder, begin, end }: Surroundings,
  lines: string,
  login: Record<string, string>,
  interpreter = python,
) {
  // a process of its own for each: it keeps its first login and version for each service
  const logins = { user: login, administrator: { ...login, OS_CLOUD: adminEntry } };
  const clients = new Map<keyof typeof logins, OpenstackClient>();
  const clientOf = (who: keyof typeof logins) => {
    const client = clients.get(who) ?? new OpenstackClient(interpreter, { ...env, ...logins[who] });
    clients.set(who, client);
    return client;
  };
  const kept = new Map([["FOLDER", folder]]);
  const filled = (word: string) =>
    word.replaceAll("conformance", ownPrefix).replace(/\$(\w+)/g, (_, name: string) => kept.get(name) ?? "");
  try {
    for (const { name, isAdmin, words, keep } of commandsOf(lines)) {
      await begin(name);
      const client = clientOf(isAdmin ? "administrator" : "user");
      const { status, stdout } = await client.run(...words.map(filled), ...(keep === undefined ? [] : ["-f", "json"]));
      end(status === 0 ? "ok" : "refused");
      if (keep !== undefined && status === 0) kept.set(keep.name, fieldOf(JSON.parse(stdout), keep.field));
    }
  } finally {
    for (const client of clients.values()) await client.close();
  }
}

interface Command {
  /** As a user would type it. */
  name: string;
  isAdmin: boolean;
  words: string[];
  /** What to keep of the answer, under which name. */
  keep?: { name: string; field: string };
}

function commandsOf(lines: string): Command[] {
  const seen = new Map<string, number>();
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, kept, command = "", field] = /^(?:(\w+) = )?(.*?)(?: : ([\w.]+))?$/.exec(line) ?? [];
      const [, admin, text = ""] = /^(@?)(.*)$/.exec(command) ?? [];
      const times = (seen.get(command) ?? 0) + 1;
      seen.set(command, times);
      return {
        name: `${times === 1 ? "" : `${times}: `}openstack ${text}${admin === "" ? "" : " (administrator)"}`,
        isAdmin: admin !== "",
        words: [...text.matchAll(/"([^"]*)"(?=\s|$)|\S+/g)].map(([word, quoted]) => quoted ?? word),
        ...(kept === undefined || field === undefined ? {} : { keep: { name: kept, field } }),
      };
    });
}

/** @param path `id`, `0.ID` */
function fieldOf(answer: unknown, path: string): string {
  return String(path.split(".").reduce((value, key) => (value as Record<string, unknown>)?.[key], answer));
}
