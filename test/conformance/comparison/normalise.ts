import { idPattern, labelsOf } from "./labels.ts";
import type { Call, Exchange } from "./recorder.ts";

/** Names of the machines that a cloud runs on. */
const hostKeys = new Set([
  "host",
  "host_name",
  "hypervisor_hostname",
  "OS-EXT-SRV-ATTR:host",
  "OS-EXT-SRV-ATTR:hypervisor_hostname",
  "os-vol-host-attr:host",
  "binding:host_id",
]);

/** Only who made them may know them. */
const secretKeys = new Set(["secret", "password", "adminPass", "private_key", "auth_key", "audit_ids"]);
const secretHeaders = new Set(["x-subject-token", "x-storage-token", "x-auth-token", "set-cookie"]);

/** Counted by the cloud over all its life, or by the moment. */
const countKeys = new Set([
  "revision_number",
  "provider:segmentation_id",
  "standard_attr_id",
  "total_hours",
  "hours",
  "total_memory_mb_usage",
  "total_vcpus_usage",
  "total_local_gb_usage",
  "uptime",
]);

/** In what these describe all numbers are the machine's. */
const machineKeys = ["hypervisor_hostname", "running_vms", "agent_type"];

const usualPrefix = "conformance";

/** What an operator chose to offer, by the key of the list. A run makes its own, all with names that begin so. */
const offered = new Set(["flavors", "images"]);
export const ownPrefix = process.env.SLIPWAY_CONFORMANCE_PROJECT ?? usualPrefix;

/** The external network that every run is led through. */
const external = "public";

/** What others may share with everybody: their networks, and the subnets of these. */
const shared = new Set(["networks", "subnets"]);

/** Services that one of the clouds has and the other not. */
const optional = new Set(["placement", "object-store", "load-balancer"]);

/**
 * The calls without what differs from run to run and from machine to machine: ids become what they stand for, moments, addresses that
 * were not asked for, secrets and machine sizes become their form.
 */
export function normalised(calls: Call[]): Call[] {
  const labels = labelsOf(calls);
  const others = networksOfOthers(calls);
  const text = (value: string) => formOf(value, labels);
  const normalisedBody = (value: unknown, key = "", within = false): Exchange["body"] => {
    if (typeof value === "string") return valueForm(value, text, key);
    if (Array.isArray(value))
      return elementsOf(value, key, others).map((element) => normalisedBody(element, key, within));
    if (typeof value !== "object" || value === null) return countKeys.has(key) && value !== null ? "<number>" : value;
    const members = value as Record<string, unknown>;
    const isMachine = within || machineKeys.some((name) => name in members);
    return Object.fromEntries(
      Object.entries(members).map(([name, member]) => [
        text(name),
        (isMachine || name === "id") && typeof member === "number"
          ? "<number>"
          : normalisedBody(member, name, isMachine),
      ]),
    );
  };
  return calls.map(({ name, outcome, exchanges }) => ({
    name,
    outcome: text(outcome),
    exchanges: exchanges.map(({ request, status, headers, body }) => ({
      request: text(decoded(request)),
      status,
      headers: Object.fromEntries(
        Object.entries(headers).map(([key, value]) => [key, secretHeaders.has(key) ? "<secret>" : text(value)]),
      ),
      body: normalisedBody(body),
    })),
  }));
}

function decoded(request: string): string {
  try {
    return decodeURIComponent(request);
  } catch {
    return request;
  }
}

function valueForm(value: string, text: (value: string) => string, key: string): string {
  if (secretKeys.has(key)) return "<secret>";
  if (hostKeys.has(key) && value !== "") return "<host>";
  if (countKeys.has(key)) return "<number>";
  return text(value);
}

function elementsOf(list: unknown[], key: string, networksOfOthers: Set<unknown>): unknown[] {
  const members = list as Record<string, unknown>[];
  if (key === "catalog") return members.filter(({ type }) => !optional.has(String(type)));
  // an administrator is told of everybody's networks there
  if (key === "network_ip_availabilities") return members.filter((member) => member.network_name === external);
  if (offered.has(key)) return members.filter(({ name }) => String(name).startsWith(ownPrefix));
  if (!shared.has(key)) return list;
  return members.filter((member) => !networksOfOthers.has(member) && !networksOfOthers.has(member.network_id));
}

/** Networks that are shared without being external, which no run makes: as they are listed, and their ids. */
function networksOfOthers(calls: Call[]): Set<unknown> {
  const listed = calls.flatMap(({ exchanges }) => exchanges.flatMap(({ body }) => networksIn(body)));
  const others = listed.filter((network) => network.shared === true && network["router:external"] !== true);
  return new Set(others.flatMap((network) => [network, network.id]));
}

function networksIn(body: unknown): Record<string, unknown>[] {
  const { networks } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  return Array.isArray(networks) ? networks : [];
}

/** A moment of this century until the nineties: those that a run gave itself, and those of old documents, are what they are. */
const moment = /20(?:2[4-9]|[3-8]\d)-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?/g;

/** Ids are chance, and so is the order of a list of them. */
function formOf(value: string, labels: Map<string, string>): string {
  return value
    .replace(/req-[0-9a-f-]{36}/g, "req-<id>")
    .replace(/\btemp_url_sig=[0-9a-f]+/g, "temp_url_sig=<signature>")
    .replace(/\btx[0-9a-f]{8,21}-[0-9a-f-]{10,27}\b/g, "tx<id>")
    .replace(/\b1[6-9]\d{8}\.\d{5}\b/g, "<time>")
    .replace(/\b[0-9a-f]{2}\/[0-9a-f]{2}\/(?=[0-9a-f]{8}-[0-9a-f]{4}-)/g, "<start of the id>/")
    .replace(idPattern, (id) => labels.get(id) ?? "<id>")
    .replace(moment, (time) => time.replace(/\d/g, "0"))
    .replace(/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT/g, "<date>")
    .replace(/os-aggregates\/\d+/g, "os-aggregates/<aggregate>")
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, "<cloud>")
    .replace(/fa:16:3e:[0-9a-f:]{8}/g, "fa:16:3e:00:00:00")
    .replace(/\b10\.77\.(\d+)\.(?:1\d\d|2[0-4]\d)\b/g, "10.77.$1.<any>")
    .replace(/\b172\.24\.4\.(?:[2-9]|[1-9]\d|1\d\d|2[0-4]\d)\b/g, "<external address>")
    .replace(/(?:[0-9a-f]{2}:){15}[0-9a-f]{2}/g, "<fingerprint>")
    .replace(/\b(ssh-rsa|ssh-ed25519) AAAA[\w+/=]+/g, "$1 <key>")
    .replace(/\br-[0-9a-z]{8}\b/g, "r-<id>")
    .replace(/\b[0-9a-f]{56}\b/g, "<host id>")
    .replace(/gAAAA[\w-]+=*/g, "<token>")
    .replaceAll(ownPrefix, usualPrefix)
    .replace(/<[^<>]+>(?:,<[^<>]+>)+/g, (list) => list.split(",").sort().join());
}
