import type { Call, Json, Observation, Resource } from "./recording.ts";

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/;
const identifier = new RegExp(`${uuid.source}|\\b[0-9a-f]{32}\\b`, "g");
const mac = /\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g;
const time = /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000 UTC)/g;
const address = /\b\d{1,3}(?:\.\d{1,3}){3}\b/g;

const isAddress = new RegExp(`^${address.source}$`);

/** What the SDK writes for a value that is not known yet. */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A made-up name, of which no state tells in a preview. */
const madeUp = /-[0-9a-f]{7}$/;

/** Where an address is the program's or follows from it, as opposed to one that the cloud picked. */
const planned = new Set([
  "allocation_pools",
  "gateway_ip",
  "remote_ip_prefix",
  "allocationPools",
  "allocationPoolsCollection",
  "gatewayIp",
  "cidr",
  "remoteIpPrefix",
]);

/** `Network::net` of a URN. */
export function shortName(urn: string): string {
  const [, , type = "", name = ""] = /^(urn:.*::)?(?:.*[$:/])?([^$:/]+)::(.*)$/.exec(urn) ?? [];
  return `${type}::${name}`;
}

/**
 * The names that stand for what two clouds cannot have in common: ids, addresses, times, made-up names. Each value is named after the place
 * where the state has it first, so equal names on both sides mean the same relations.
 */
class Symbols {
  readonly #names = new Map<string, string>();
  /** Addresses that are the program's choice: those in its text, but for the bounds of pools that the cloud picks from. */
  readonly #chosen: Set<string>;

  /**
   * @param known ids of what was there before, with their names
   * @param program the program's text: the addresses in it are nobody's choice but its own
   * @param states the checkpoints before and after the run
   */
  constructor(known: Record<string, string>, program: string, states: Resource[][]) {
    this.#chosen = new Set(program.match(address));
    for (const bound of JSON.stringify(states.flat().map(({ inputs }) => poolsOf(inputs))).matchAll(address)) {
      this.#chosen.delete(bound[0]);
    }
    this.#names.set(unknownValue, "<unknown>");
    for (const [id, name] of Object.entries(known)) this.#names.set(id, `<${name}>`);
    const resources = states.flatMap((state) => state.toSorted((a, b) => (a.urn < b.urn ? -1 : 1)));
    const generations = new Map<string, Set<string>>();
    for (const { urn, id, inputs } of resources) {
      if (id === undefined) continue;
      const ids = generations.get(urn) ?? new Set();
      generations.set(urn, ids.add(id));
      const name = `${shortName(urn)}${ids.size > 1 ? `#${ids.size}` : ""}`;
      if (new RegExp(`^(?:${identifier.source})$`).test(id)) this.#learn(id, name);
      const made = inputs as { __defaults?: string[]; name?: string } | undefined;
      if (made?.__defaults?.includes("name") && made.name) this.#learn(made.name, `name of ${name}`);
    }
    for (const { urn, id, inputs, outputs } of resources) {
      const generation = [...(generations.get(urn) ?? [])].indexOf(id ?? "") + 1;
      const name = `${shortName(urn)}${generation > 1 ? `#${generation}` : ""}`;
      this.#walk({ inputs: inputs ?? null, outputs: outputs ?? null }, name);
    }
  }

  /** A text with names in place of values. */
  mask(text: string, masksAddresses = true): string {
    const known = this.#names.get(text);
    if (known !== undefined && (masksAddresses || !isAddress.test(text))) return known;
    const masked = text
      .replace(time, "<time>")
      .replace(identifier, (id) => this.#names.get(id) ?? "<id>")
      .replace(mac, (value) => this.#names.get(value) ?? "<mac>");
    return masksAddresses ? masked.replace(address, (value) => this.#names.get(value) ?? value) : masked;
  }

  /** A value with names in place of values. */
  masked<T extends Json>(value: T, key = ""): T {
    const masksAddresses = !planned.has(key);
    if (typeof value === "string") return (key === "password" ? "<password>" : this.mask(value, masksAddresses)) as T;
    if (Array.isArray(value)) return value.map((item) => this.masked(item, key)) as T;
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).map(([name, item]) => [name, this.masked(item, masksAddresses ? name : key)]);
    return Object.fromEntries(entries) as T;
  }

  /** As {@link masked}, for what is only planned. */
  planned<T extends Json>(value: T): T {
    const text = JSON.stringify(this.masked(value));
    return JSON.parse(text, (_, item) => (typeof item === "string" ? item.replace(madeUp, "-<made up>") : item)) as T;
  }

  call(call: Call): Call {
    const path = call.path.split("/").map((part) => this.mask(part));
    return { ...call, path: path.join("/"), query: this.#query(call.query), ...this.#body(call) };
  }

  #body({ body }: Call): { body?: Json } {
    return body === undefined ? {} : { body: this.masked(body) };
  }

  #query(query: string): string {
    const pairs = [...new URLSearchParams(query)].map(([key, value]) => `${key}=${this.mask(value)}`);
    return pairs.sort().join("&");
  }

  #learn(value: string, name: string): void {
    if (!this.#names.has(value)) this.#names.set(value, `<${name}>`);
  }

  #walk(value: Json, path: string, key = ""): void {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) this.#walk(item, `${path}[${index}]`, key);
    else if (value !== null && typeof value === "object") {
      for (const name of Object.keys(value).sort()) {
        if (!planned.has(name)) this.#walk(value[name] ?? null, `${path}.${name}`, name);
      }
    } else if (typeof value === "string" && !/[\n{]/.test(value)) {
      for (const pattern of [identifier, mac, address]) {
        for (const [found] of value.matchAll(pattern)) {
          if (pattern !== address || !this.#chosen.has(found)) this.#learn(found, path);
        }
      }
    }
  }
}

function poolsOf(inputs: Json | undefined): Json {
  return (inputs as { allocationPools?: Json } | undefined)?.allocationPools ?? null;
}

/** An observation with names in place of values. */
export function withSymbols(
  observation: Observation,
  before: Resource[],
  known: Record<string, string>,
  program: string,
): Observation {
  const symbols = new Symbols(known, program, [before, observation.resources]);
  return {
    ...observation,
    calls: observation.calls.map((call) => symbols.call(call)),
    resources: observation.resources.map((resource) => symbols.masked(resource)),
    ...(observation.plan && {
      plan: observation.plan.map((planned) => symbols.planned({ ...planned } as Json) as never),
    }),
    ...(observation.foreseen && { foreseen: symbols.planned(observation.foreseen) }),
  };
}
