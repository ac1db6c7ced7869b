import { orMissing } from "../missing.ts";
import { listAll } from "../pages.ts";
import type { Session } from "../session.ts";

/** A server as Nova 2.1 shows it. */
export interface Server {
  id: string;
  name: string;
  /** `BUILD`, `ACTIVE`, `SHUTOFF`, `ERROR`, … */
  status: string;
  tenant_id: string;
  metadata: Record<string, string>;
  created: string;
  updated: string;
  addresses: Record<string, ServerAddress[]>;
  accessIPv4: string;
  accessIPv6: string;
  key_name: string | null;
  /** An empty text for servers that boot from a volume. */
  image: { id: string } | "";
  flavor: { id: string };
  security_groups?: { name: string }[];
  "OS-EXT-AZ:availability_zone"?: string;
  "OS-EXT-STS:task_state"?: string | null;
  /** Why a server is in ERROR. */
  fault?: { code: number; message: string; details?: string };
}

/** One address of a server. */
export interface ServerAddress {
  addr: string;
  version: 4 | 6;
  "OS-EXT-IPS:type"?: "fixed" | "floating";
  "OS-EXT-IPS-MAC:mac_addr"?: string;
}

/** The server; undefined where there is none. */
export async function findServer(session: Session, id: string): Promise<Server | undefined> {
  const found = await orMissing(() => session.request<{ server: Server }>("compute", "GET", `/servers/${id}`));
  return found?.body.server;
}

/**
 * The project's servers whose name is exactly `name` and whose metadata has all of `metadata`.
 * Nova reads its own `name` filter as a regular expression, so the comparison is made here.
 */
export async function listServers(
  session: Session,
  wanted: { name?: string; metadata?: Record<string, string> } = {},
): Promise<Server[]> {
  const servers = await listAll<Server>(session, "compute", "/servers/detail", "servers");
  return servers.filter(
    (server) =>
      (wanted.name === undefined || server.name === wanted.name) &&
      Object.entries(wanted.metadata ?? {}).every(([key, value]) => server.metadata[key] === value),
  );
}

/**
 * The text that the guest has written to its console; empty while there is none.
 * @param lines the last so many lines; everything that the cloud keeps without it
 */
export async function consoleOutput(session: Session, id: string, lines?: number): Promise<string> {
  const answer = await session.request<{ output: string }>("compute", "POST", `/servers/${id}/action`, {
    body: { "os-getConsoleOutput": lines === undefined ? {} : { length: lines } },
  });
  return answer.body.output ?? "";
}
