import type { RuntimeAddress } from "../routing/address.ts";
import { addressText } from "../routing/address-text.ts";
import type { FollowedRuntime } from "../routing/router.ts";
import type { AskingIdentity } from "../runtime/identity.ts";
import { farRuntime as farRuntimeOf } from "./far-runtimes.ts";
import type { PooledWorker } from "./pool.ts";
import type { HttpWorker, RuntimeWorker, WorkerHealth, WorkerRecord } from "./registration.ts";
import type { Workers } from "./workers.ts";

/** A worker as it is shown. Nothing secret: of a token only whether there is one. */
export interface WorkerView {
  id: string;
  kind: "runtime" | "http";
  /** `host`: a runtime of the frontend's own. `itself`: registered itself, with a heartbeat. `admin`: stays until it is removed. */
  origin: "host" | "itself" | "admin";
  /** Whether it gets new requests: `failing` and `draining` do not. */
  state: "passing" | "failing" | "draining";
  /** Why it is failing. */
  reason?: string;
  address: string;
  models: string[];
  group?: string;
  weight?: number;
  pure?: boolean;
  token?: boolean;
  capabilities: Record<string, string | number>;
  /** Under way from the process that answers: requests, of runtimes rows. */
  inFlight: number;
  since?: string;
  firstPass?: string;
  lastPass?: string;
  firstFail?: string;
  lastFail?: string;
  /** Failed looks in a row. */
  failures?: number;
}

/** All workers, the host's own first. */
export function inventoryOf(workers: Pick<Workers, "own" | "identity" | "pool" | "followed" | "links">): WorkerView[] {
  const links = new Map(workers.links().map((link) => [addressText(link.address), link]));
  const snapshot = workers.followed?.follower.snapshot;
  const own = workers.own.map(({ id, address }) =>
    ownRuntime(id, address, links.get(addressText(address)), snapshot?.draining.has(id) ?? false),
  );
  const ownIds = new Set(workers.own.map(({ id }) => id));
  const others = (snapshot?.records ?? []).flatMap((record): WorkerView[] => {
    const { worker } = record;
    if (ownIds.has(worker.id)) return [];
    if (worker.kind === "runtime") {
      return [farRuntime(worker, record, links.get(addressText(worker.address)), workers.identity)];
    }
    const pooled = workers.pool.find(worker.id);
    return pooled ? [externalWorker(worker, record, pooled, workers.pool.obstacleOf(pooled))] : [];
  });
  return [...own, ...others];
}

function ownRuntime(
  id: string,
  address: RuntimeAddress,
  link: FollowedRuntime | undefined,
  draining: boolean,
): WorkerView {
  const hello = link?.connected?.hello;
  return {
    id,
    kind: "runtime",
    origin: "host",
    ...stateOf(draining, hello ? undefined : notConnected(link)),
    address: addressText(address),
    models: modelNames(link?.connected?.models.map(({ model }) => model) ?? []),
    ...(hello && { group: hello.group }),
    capabilities: hello
      ? present({ provider: hello.provider, onnxruntime: hello.onnxruntime, batchRows: hello.batchRows })
      : {},
    inFlight: link?.rows ?? 0,
  };
}

function farRuntime(
  worker: RuntimeWorker,
  record: WorkerRecord,
  link: FollowedRuntime | undefined,
  identity: AskingIdentity | undefined,
): WorkerView {
  const asked = farRuntimeOf(worker, identity);
  const connection = "obstacle" in asked ? asked.obstacle : link?.connected ? undefined : notConnected(link);
  const obstacle = record.alive === true ? connection : "its heartbeat ended";
  return {
    id: worker.id,
    kind: "runtime",
    origin: "itself",
    ...stateOf(record.draining, obstacle),
    address: addressText(worker.address),
    models: modelNames(worker.models),
    group: worker.group,
    capabilities: present(worker.capabilities),
    inFlight: link?.rows ?? 0,
    ...timesOf(record.health),
  };
}

function externalWorker(
  worker: HttpWorker,
  record: WorkerRecord,
  pooled: PooledWorker,
  obstacle: string | undefined,
): WorkerView {
  const { id, host, port, models, weight, pure, token, capabilities } = worker;
  return {
    id,
    kind: "http",
    origin: record.alive === undefined ? "admin" : "itself",
    ...stateOf(record.draining, obstacle),
    address: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    models,
    weight,
    pure,
    ...(token !== undefined && { token: true }),
    capabilities: present(capabilities),
    inFlight: pooled.inFlight,
    ...timesOf(record.health),
  };
}

function notConnected(link: FollowedRuntime | undefined): string {
  return link?.problem === undefined ? "it is not connected" : `it is not connected: ${link.problem}`;
}

function stateOf(draining: boolean, obstacle: string | undefined): Pick<WorkerView, "state" | "reason"> {
  if (draining) return { state: "draining" };
  return obstacle === undefined ? { state: "passing" } : { state: "failing", reason: obstacle };
}

function timesOf(health: WorkerHealth | undefined): Partial<WorkerView> {
  if (!health) return {};
  const { since, firstPass, lastPass, firstFail, lastFail, failures } = health;
  return { ...present({ since, firstPass, lastPass, firstFail, lastFail }), failures };
}

function modelNames(models: readonly { name: string; version: string }[]): string[] {
  return models.map(({ name, version }) => `${name} ${version}`);
}

function present<T extends Record<string, string | number | undefined>>(values: T): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
