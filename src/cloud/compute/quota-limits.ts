import { ApiError } from "../http/api-error.ts";
import type { Collection } from "../store/store.ts";
import type { ComputeContext } from "./context.ts";
import type { Flavor } from "./flavor-records.ts";
import type { ProjectQuota } from "./quota-records.ts";
import type { Server } from "./records.ts";

/** Nova's defaults, in its order. RAM in MiB. */
export const quotas = {
  instances: 10,
  cores: 20,
  ram: 51_200,
  metadata_items: 128,
  injected_files: 5,
  injected_file_content_bytes: 10_240,
  injected_file_path_bytes: 255,
  key_pairs: 100,
  server_groups: 10,
  server_group_members: 10,
  // Neutron's by now; Nova says that it has no limit
  fixed_ips: -1,
  floating_ips: -1,
  security_groups: -1,
  security_group_rules: -1,
} as const;

export type QuotaName = keyof typeof quotas;
export type Limits = Record<QuotaName, number>;

/** Under this in place of a project's id are the defaults that an administrator changed (Nova's class of that name). */
export const defaultClass = "class/default";

/** What a project has where nobody gave it other limits. */
export function defaultLimits(table: Collection<ProjectQuota>): Limits {
  return { ...quotas, ...table.get(defaultClass)?.limits };
}

/** What a project may have. */
export function limitsOf(table: Collection<ProjectQuota>, projectId: string): Limits {
  return { ...defaultLimits(table), ...table.get(projectId)?.limits };
}

/** What a project's servers use. */
export function usage(
  servers: Collection<Server>,
  projectId: string,
): { instances: number; cores: number; ram: number } {
  const own = servers.list((server) => server.projectId === projectId);
  return {
    instances: own.length,
    cores: own.reduce((sum, server) => sum + server.flavor.vcpus, 0),
    ram: own.reduce((sum, server) => sum + server.flavor.ram, 0),
  };
}

type Counted = "cores" | "instances" | "ram";
type Context = Pick<ComputeContext, "servers" | "quotas">;

/**
 * How many servers of a flavor may be made, of those that are asked for.
 * @throws ApiError 403 where it is fewer than the least that will do
 */
export function demandServers(
  context: Context,
  projectId: string,
  flavor: Flavor,
  least: number,
  most: number,
): number {
  const limits = limitsOf(context.quotas, projectId);
  const used = usage(context.servers, projectId);
  const each = { instances: 1, cores: flavor.vcpus, ram: flavor.ram };
  const room = (name: Counted) =>
    limits[name] < 0 || each[name] === 0
      ? Number.POSITIVE_INFINITY
      : Math.floor((limits[name] - used[name]) / each[name]);
  const allowed = Math.min(most, room("instances"), room("cores"), room("ram"));
  if (allowed >= least) return allowed;
  const requested = {
    instances: least === most ? String(most) : `${least}-${most}`,
    cores: String(most * each.cores),
    ram: String(most * each.ram),
  };
  const over = (["cores", "instances", "ram"] as const).filter((name) => room(name) < most);
  throw overQuota(over, requested, used, limits);
}

/** @throws ApiError 403 where the larger flavor is too much for the project of a server that has the other one */
export function demandGrowth(context: Context, projectId: string, flavor: Flavor, former: Flavor): void {
  const limits = limitsOf(context.quotas, projectId);
  const used = usage(context.servers, projectId);
  const more = { instances: 0, cores: flavor.vcpus - former.vcpus, ram: flavor.ram - former.ram };
  const over = (["cores", "ram"] as const).filter(
    (name) => more[name] > 0 && limits[name] >= 0 && used[name] + more[name] > limits[name],
  );
  if (over.length > 0) throw overQuota(over, more, used, limits);
}

function overQuota(
  over: readonly Counted[],
  requested: Record<Counted, string | number>,
  used: Record<Counted, number>,
  limits: Limits,
): ApiError {
  const all = (of: Record<string, unknown>) => over.map((name) => of[name]).join(", ");
  const names = over.join(", ");
  return new ApiError(
    403,
    `Quota exceeded for ${names}: Requested ${all(requested)}, but already used ${all(used)} of ${all(limits)} ${names}`,
  );
}

/** @throws ApiError 403 for more metadata than a server may have */
export function demandMetadata(
  table: Collection<ProjectQuota>,
  projectId: string,
  metadata: Record<string, string>,
): void {
  const most = limitsOf(table, projectId).metadata_items;
  if (most >= 0 && Object.keys(metadata).length > most) {
    throw new ApiError(403, `Maximum number of metadata items exceeds ${most}`);
  }
}

/** @throws ApiError 403 for more files, or longer ones, than a server may be given */
export function demandPersonality(
  table: Collection<ProjectQuota>,
  projectId: string,
  files: { path?: string | undefined; contents?: string | undefined }[] = [],
): void {
  const limits = limitsOf(table, projectId);
  const exceeds = (name: QuotaName, count: number) => limits[name] >= 0 && count > limits[name];
  const longest = (lengths: number[]) => Math.max(0, ...lengths);
  if (exceeds("injected_files", files.length)) throw new ApiError(403, "Personality file limit exceeded");
  if (exceeds("injected_file_path_bytes", longest(files.map(({ path = "" }) => path.length)))) {
    throw new ApiError(403, `Personality file path exceeds maximum ${limits.injected_file_path_bytes}`);
  }
  const content = longest(files.map(({ contents = "" }) => Buffer.byteLength(contents, "base64")));
  if (exceeds("injected_file_content_bytes", content)) {
    throw new ApiError(403, `Personality file content exceeds maximum ${limits.injected_file_content_bytes}`);
  }
}
