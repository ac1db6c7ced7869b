import { SlipwayError } from "../../common/errors.ts";
import { waitFor } from "../../common/wait.ts";
import { memberOf } from "../answer.ts";
import { orMissing } from "../missing.ts";
import { allPages } from "../pages.ts";
import { callCompute } from "../pkgcloud/call.ts";
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
  "os-extended-volumes:volumes_attached"?: { id: string }[];
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
  const found = await orMissing(() => callCompute(session, (compute, callback) => compute.getServer(id, callback)));
  return found && memberOf<Server>(found, "server");
}

/**
 * The project's servers whose name is exactly `name` and whose metadata has all of `metadata`.
 * Nova reads its own `name` filter as a regular expression, so the comparison is made here.
 */
export async function listServers(
  session: Session,
  wanted: { name?: string; metadata?: Record<string, string> } = {},
): Promise<Server[]> {
  const servers = await allPages<Server>("servers", (query) =>
    callCompute(session, (compute, callback) => compute.getServers(query, callback)),
  );
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
export async function consoleOutput(
  session: Session,
  id: string,
  lines?: number,
  signal?: AbortSignal,
): Promise<string> {
  const action = { "os-getConsoleOutput": lines === undefined ? {} : { length: lines } };
  const limits = signal === undefined ? {} : { signal };
  const answer = await callCompute(
    session,
    (compute, callback) => compute._doServerAction(id, action, callback),
    limits,
  );
  return (answer.body as { output?: string | null } | undefined)?.output ?? "";
}

/**
 * Starts a server that is SHUTOFF: somebody stopped it, or its hypervisor went down under it. Other states are left as they are, but
 * for ERROR, which nothing here mends.
 * @returns whether it had to be started
 * @throws SlipwayError E_UPDATE_FAILED for a server that is gone or in ERROR, with Nova's fault; E_TIMEOUT
 */
export async function ensureServerRuns(
  session: Session,
  id: string,
  { timeoutMs = 120_000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<boolean> {
  const found = await findServer(session, id);
  refuseBroken(id, found);
  if (found?.status !== "SHUTOFF") return false;
  await callCompute(session, (compute, callback) => compute.startServer(id, callback));
  await waitFor(
    `server ${found.name} to become ACTIVE`,
    async () => {
      const now = await findServer(session, id);
      refuseBroken(id, now);
      return now?.status === "ACTIVE" ? now : undefined;
    },
    { timeoutMs, ...(signal === undefined ? {} : { signal }) },
  );
  return true;
}

/**
 * Has a server shut itself down, as Nova's `os-stop` does: the guest ends what it runs, and is switched off where that takes it too long. One
 * that does not run, or is gone, is left as it is.
 * @throws SlipwayError E_TIMEOUT
 */
export async function ensureServerStopped(
  session: Session,
  id: string,
  { timeoutMs = 120_000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  if ((await findServer(session, id))?.status !== "ACTIVE") return;
  await callCompute(session, (compute, callback) => compute.stopServer(id, callback));
  await waitFor(
    `server ${id} to shut down`,
    async () => ((await findServer(session, id))?.status === "ACTIVE" ? undefined : true),
    { timeoutMs, ...(signal === undefined ? {} : { signal }) },
  );
}

/**
 * Returns when the server is ACTIVE: one that still boots is waited for.
 * @throws SlipwayError E_UPDATE_FAILED for a server that is gone or in ERROR, with Nova's fault; E_TIMEOUT
 */
export async function awaitServerActive(
  session: Session,
  id: string,
  { timeoutMs = 120_000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  await waitFor(
    `server ${id} to become ACTIVE`,
    async () => {
      const server = await findServer(session, id);
      refuseBroken(id, server);
      return server?.status === "ACTIVE" ? true : undefined;
    },
    { timeoutMs, ...(signal === undefined ? {} : { signal }) },
  );
}

function refuseBroken(id: string, server: Server | undefined): void {
  if (server !== undefined && server.status !== "ERROR") return;
  const reason = server === undefined ? "is gone" : `is in ERROR: ${server.fault?.message ?? "Nova names no fault"}`;
  throw new SlipwayError("E_UPDATE_FAILED", `server ${server?.name ?? id} ${reason}`, {
    hint: "Remove the stack with `slipway down` and bring it up again.",
  });
}
