import { lookup } from "../../common/lookup.ts";
import { patientTest } from "../http/client-pattern.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { host } from "./host.ts";
import { allOf, badQuery, firstOf, pageAfter, type Query } from "./paging.ts";
import { deletedServerTable, type Server } from "./records.ts";
import { addressesOf } from "./server-addresses.ts";
import { isStatus, powerState, statusOf } from "./server-status.ts";

type Field = (server: Server) => string | number | boolean | null;

/** What servers can be sorted by, and most of them filtered, under the names of Nova's columns. */
const columns = lookup<Field>({
  access_ip_v4: (server) => server.accessIPv4 || null,
  access_ip_v6: (server) => server.accessIPv6 || null,
  auto_disk_config: (server) => (server.diskConfig === "AUTO" ? 1 : 0),
  availability_zone: (server) => server.availabilityZone,
  config_drive: (server) => (server.configDrive ? "True" : ""),
  created_at: (server) => server.createdAt,
  display_description: (server) => server.description,
  display_name: (server) => server.name,
  host: () => host.name,
  hostname: (server) => server.hostname,
  image_ref: (server) => server.imageId,
  instance_type_id: (server) => server.flavor.id,
  kernel_id: () => "",
  key_name: (server) => server.keyName,
  launch_index: (server) => server.launchIndex ?? 0,
  launched_at: (server) => server.launchedAt,
  locked: (server) => Boolean(server.lockedBy),
  locked_by: (server) => server.lockedBy ?? null,
  node: () => host.name,
  power_state: (server) => powerState(server),
  progress: () => 0,
  project_id: (server) => server.projectId,
  ramdisk_id: () => "",
  reservation_id: (server) => server.reservationId ?? null,
  root_device_name: () => "/dev/vda",
  task_state: (server) => server.taskState,
  terminated_at: (server) => server.terminatedAt ?? null,
  updated_at: (server) => server.updatedAt,
  user_id: (server) => server.userId,
  uuid: (server) => server.id,
  vm_state: (server) => server.vmState,
});

/** Names that the API has for columns. */
const aliases = lookup<string>({
  name: "display_name",
  description: "display_description",
  image: "image_ref",
  tenant_id: "project_id",
  flavor: "instance_type_id",
});

/** Columns that a filter has to name exactly; it is a regular expression for the rest. */
const exact = new Set([
  "project_id",
  "user_id",
  "image_ref",
  "vm_state",
  "instance_type_id",
  "uuid",
  "host",
  "task_state",
]);

const notSorted = new Set(["reservation_id", "locked"]);
const ignoredSortKeys = [
  ...[
    "architecture",
    "cell_name",
    "cleaned",
    "default_ephemeral_device",
    "default_swap_device",
    "deleted",
    "deleted_at",
  ],
  ...[
    "disable_terminate",
    "ephemeral_gb",
    "ephemeral_key_uuid",
    "id",
    "key_data",
    "launched_on",
    "locked",
    "memory_mb",
  ],
  ...["os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode"],
];
const sortKeys = Object.keys(columns).filter((name) => !notSorted.has(name));

/** Filters that all may use, by the microversion since which they do; administrators may use every one. */
const openFilters = lookup<number>({
  ...{ reservation_id: 1, name: 1, status: 1, image: 1, flavor: 1, ip: 1, "changes-since": 1, all_tenants: 1 },
  ...{ ip6: 5, tags: 26, "tags-any": 26, "not-tags": 26, "not-tags-any": 26, "changes-before": 66, locked: 73 },
  ...{ availability_zone: 83, config_drive: 83, key_name: 83, created_at: 83, launched_at: 83, terminated_at: 83 },
  ...{ power_state: 83, task_state: 83, vm_state: 83, progress: 83, user_id: 83, hostname: 90 },
});

/** Filters that are no column. */
const others = [
  "status",
  "changes-since",
  "changes-before",
  "all_tenants",
  "deleted",
  "soft_deleted",
  "locked",
  "ip",
  "ip6",
];
const tagFilters = ["tags", "tags-any", "not-tags", "not-tags-any"];
const paging = ["limit", "marker", "sort_key", "sort_dir"];
const joined = new Set([
  ...[
    "block_device_mapping",
    "services",
    "metadata",
    "system_metadata",
    "info_cache",
    "security_groups",
    "pci_devices",
  ],
]);

/** Who lists, and how. */
export interface Listing {
  scope: Scope;
  query: Query;
  microversion: number;
  /** `servers:detail`: what a refusal names. */
  policy: string;
}

/** Nova's list of servers: the newest first unless it is told otherwise, one page of it. @throws ApiError 400, 403 */
export function listServers(context: ComputeContext, listing: Listing): Server[] {
  const { scope, query, microversion, policy } = listing;
  demandKnown(query, microversion);
  const filters = Object.fromEntries(
    Object.entries(query).filter(
      ([name]) =>
        !paging.includes(name) && (isAdmin(scope) || (openFilters[name] ?? Number.POSITIVE_INFINITY) <= microversion),
    ),
  );
  const invalid = Object.keys(filters).find((name) => joined.has(name) || name.startsWith("_"));
  if (invalid !== undefined) throw nova.badRequest(`Invalid filter field: ${invalid}.`);
  const statuses = allOf(filters.status);
  if (statuses.length > 0 && !statuses.some(isStatus)) {
    if (microversion >= 38) throw nova.badRequest("Invalid status value");
    return [];
  }
  if (statuses.some((status) => status.toUpperCase() === "DELETED") && !isAdmin(scope)) {
    throw nova.adminsOnly("Only administrators may list deleted instances");
  }
  const everyone = asksForAllTenants(filters);
  if (everyone && !isAdmin(scope)) throw nova.forbidden(`os_compute_api:${policy}:get_all_tenants`);
  const tests = testsOf(context, filters, statuses);
  if (!everyone) tests.push((server) => server.projectId === projectOf(scope).id);
  const found = candidates(context, filters, statuses).filter((server) => tests.every((test) => test(server)));
  return pageAfter(sorted(found, scope, query, microversion), query, ({ id }) => id);
}

/** `all_tenants`: also without a value. */
function asksForAllTenants(filters: Query): boolean {
  const text = firstOf(filters.all_tenants);
  if (text === undefined) return false;
  if (/^(|1|t|true|on|y|yes)$/i.test(text)) return true;
  if (/^(0|f|false|off|n|no)$/i.test(text)) return false;
  throw nova.badRequest(
    `Invalid input received: Unrecognized value '${text}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'`,
  );
}

/** Those that are there, or were: `changes-since` tells of deleted ones too, `deleted` of them alone. */
function candidates({ servers, store }: ComputeContext, filters: Query, statuses: string[]): Server[] {
  const deleted = firstOf(filters.deleted);
  const wantsDeleted =
    statuses.some((status) => status.toUpperCase() === "DELETED") || /^(1|t|true|on|y|yes)$/i.test(deleted ?? "");
  if (wantsDeleted) return deletedServerTable(store).list();
  const withDeleted = deleted === undefined && (filters["changes-since"] ?? filters["changes-before"]) !== undefined;
  return withDeleted ? [...deletedServerTable(store).list(), ...servers.list()] : servers.list();
}

/** @throws ApiError 400 for what Nova's query schemas refuse */
function demandKnown(query: Query, microversion: number): void {
  const known = new Set([...Object.keys(columns), ...Object.keys(aliases), ...others, ...paging, ...joined]);
  if (microversion >= 26) for (const name of tagFilters) known.add(name);
  for (const [name, given] of Object.entries(query)) {
    const isKnown = known.has(name) || name.startsWith("_");
    if (!isKnown && microversion >= 75) {
      throw nova.badRequest(`Additional properties are not allowed (${pythonRepr(name)} was unexpected)`);
    }
    if (!isKnown) continue;
    for (const value of allOf(given)) demandValue(name, value, microversion);
  }
}

function demandValue(name: string, value: string, microversion: number): void {
  const column = aliases[name] ?? name;
  const isPattern = (name in aliases || name in columns || tagFilters.includes(name)) && !exact.has(column);
  if (
    (isPattern && name !== "locked" && name !== "launch_index") ||
    name === "flavor" ||
    name === "ip" ||
    name === "ip6"
  ) {
    if (value === "" || !isExpression(value)) throw badQuery(name, value, `${pythonRepr(value)} is not a 'regex'`);
  }
  if ((name === "changes-since" || name === "changes-before") && !isTime(value)) {
    throw badQuery(name, value, `${pythonRepr(value)} is not a 'date-time'`);
  }
  if (name === "sort_key") {
    const allowed = microversion >= 75 ? [...sortKeys, "locked"] : [...sortKeys, ...ignoredSortKeys];
    if (!allowed.includes(value))
      throw badQuery(name, value, `${pythonRepr(value)} is not one of ${pythonRepr(allowed)}`);
  }
}

function isExpression(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false; // the client's own regular expression is malformed
  }
}

const isTime = (text: string) =>
  /^\d{4}-?\d\d-?\d\d([T ]\d\d(:?\d\d(:?\d\d([.,]\d+)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$/i.test(text);

/** Milliseconds; a time without a zone is UTC. */
export function timeOf(text: string): number {
  const compact = text.replace(" ", "+"); // a plus sign in an address is a blank
  const zoned = /(Z|[+-]\d\d(:?\d\d)?)$/i.test(compact.slice(10))
    ? compact
    : `${compact}${compact.length > 10 ? "Z" : "T00:00:00Z"}`;
  return Date.parse(zoned);
}

type Test = (server: Server) => boolean;

function testsOf(context: ComputeContext, filters: Query, statuses: string[]): Test[] {
  const tests: Test[] = [];
  if (statuses.length > 0) {
    const wanted = new Set(statuses.map((status) => status.toUpperCase()));
    tests.push((server) => wanted.has(statusOf(server)));
  }
  const [since, before] = ["changes-since", "changes-before"].map((name) => firstOf(filters[name]));
  if (since !== undefined && before !== undefined && timeOf(before) < timeOf(since)) {
    throw nova.badRequest("The value of changes-since must be less than or equal to changes-before.");
  }
  if (since !== undefined) tests.push(({ updatedAt }) => Date.parse(updatedAt) >= timeOf(since));
  if (before !== undefined) tests.push(({ updatedAt }) => Date.parse(updatedAt) <= timeOf(before));
  const locked = firstOf(filters.locked);
  if (locked !== undefined) {
    const wanted = /^(1|t|true|on|y|yes)$/i.test(locked);
    tests.push((server) => Boolean(server.lockedBy) === wanted);
  }
  for (const [name, version] of [
    ["ip", 4],
    ["ip6", 6],
  ] as const) {
    const text = firstOf(filters[name]);
    if (text === undefined) continue;
    const fits = fittingTest(new RegExp(text));
    tests.push((server) => addressTexts(context, server, version).some(fits));
  }
  tests.push(...tagTests(filters));
  for (const [name, given] of Object.entries(filters)) {
    const column = aliases[name] ?? name;
    const field = columns[column];
    const text = firstOf(given);
    if (field === undefined || text === undefined || name === "locked") continue;
    tests.push(exact.has(column) ? isOneOf(field, allOf(given)) : matches(field, text));
  }
  return tests;
}

const isOneOf = (field: Field, wanted: string[]): Test => {
  const values = new Set(wanted.map((text) => (text === "None" ? null : text)));
  return (server) => {
    const value = field(server);
    return values.has(value === null ? null : String(value));
  };
};

/** Whether a text fits; throws ApiError 400 for a pattern that would hold up the cloud. */
function fittingTest(pattern: RegExp): (text: string) => boolean {
  const fits = patientTest(pattern);
  return (text) => {
    try {
      return fits(text);
    } catch {
      throw nova.badRequest(`Invalid filter value ${pythonRepr(pattern.source)}: it takes too long.`);
    }
  };
}

/** As MariaDB compares: without regard to case. */
const matches = (field: Field, text: string): Test => {
  const fits = fittingTest(new RegExp(text, "i"));
  return (server) => {
    const value = field(server);
    return value !== null && fits(String(value));
  };
};

function tagTests(filters: Query): Test[] {
  const words = (name: string) => firstOf(filters[name])?.split(",");
  const [all, any, notAll, notAny] = tagFilters.map(words);
  const has =
    ({ tags }: Server) =>
    (tag: string) =>
      tags.includes(tag);
  return [
    ...(all === undefined ? [] : [(server: Server) => all.every(has(server))]),
    ...(any === undefined ? [] : [(server: Server) => any.some(has(server))]),
    ...(notAll === undefined ? [] : [(server: Server) => !notAll.every(has(server))]),
    ...(notAny === undefined ? [] : [(server: Server) => !notAny.some(has(server))]),
  ];
}

function addressTexts({ tables }: ComputeContext, server: Server, version: number): string[] {
  return Object.values(addressesOf(server, tables)).flatMap((list) =>
    list.flatMap((item) => (item.version === version ? [item.addr] : [])),
  );
}

/** By several keys, each in its direction; then by the time of creation and the order in which they were made. */
function sorted(found: Server[], scope: Scope, query: Query, microversion: number): Server[] {
  const asked = allOf(query.sort_key).map((key) => key.trim());
  const directions = allOf(query.sort_dir).map((direction) => direction.trim());
  const keys = asked.map((key, at) => ({ key, direction: directions[at] ?? directions.at(-1) ?? "desc" }));
  const bad = directions.find((direction) => direction !== "asc" && direction !== "desc");
  if (bad !== undefined)
    throw nova.badRequest(`Invalid input received: Unknown sort direction, must be 'desc' or 'asc'`);
  const used = keys.filter(({ key }) => !ignoredSortKeys.includes(key) || (key === "locked" && microversion >= 73));
  for (const { key } of used) {
    if ((key === "host" || key === "node") && !isAdmin(scope)) {
      throw nova.adminsOnly(`Only administrators can sort servers by ${key}`);
    }
  }
  const last = used[0]?.direction ?? directions[0] ?? "desc";
  const inOrder = last === "asc" ? found : found.toReversed();
  return inOrder.toSorted((one, other) => {
    for (const { key, direction } of used) {
      const field = columns[key];
      const order = field === undefined ? 0 : compare(field(one), field(other));
      if (order !== 0) return direction === "asc" ? order : -order;
    }
    const order = compare(one.createdAt, other.createdAt);
    return last === "asc" ? order : -order;
  });
}

/** As a database with a case-insensitive collation does: nothing before anything. */
function compare(one: string | number | boolean | null, other: string | number | boolean | null): number {
  if (one === other) return 0;
  if (one === null) return -1;
  if (other === null) return 1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  const [left, right] = [String(one).toLowerCase(), String(other).toLowerCase()];
  return left < right ? -1 : Number(left > right);
}
