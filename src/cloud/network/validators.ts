import { pythonRepr, pythonText } from "../http/python-repr.ts";
import { neutron } from "./errors.ts";
import { bitsOf, cidrText, knownRange, normalizeCidr, normalizeIp, parseCidr, parseIp } from "./ip.ts";

/** Says why a value cannot be taken, in neutron-lib's words; undefined where it can. */
export type Validator = (value: unknown) => string | undefined;

/** Makes the value that is kept out of the one that was sent. @throws ApiError 400 `InvalidInput` */
export type Converter = (value: unknown) => unknown;

export const nullOr =
  (validator: Validator): Validator =>
  (value) =>
    value === null ? undefined : validator(value);

export const text =
  (maxLength?: number): Validator =>
  (value) => {
    if (typeof value !== "string") return `'${pythonText(value)}' is not a valid string`;
    if (maxLength !== undefined && value.length > maxLength) {
      return `'${value}' exceeds maximum length of ${maxLength}`;
    }
    return undefined;
  };

export const notBlank =
  (maxLength?: number): Validator =>
  (value) =>
    text(maxLength)(value) ??
    ((value as string).trim() === "" ? `'${value}' Blank strings are not permitted` : undefined);

export const oneOf =
  (...values: unknown[]): Validator =>
  (value) =>
    values.includes(value) ? undefined : `${pythonText(value)} is not in valid_values`;

const uuidForm = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

export const uuid: Validator = (value) =>
  typeof value === "string" && uuidForm.test(value) ? undefined : `'${pythonText(value)}' is not a valid UUID`;

export const nonNegative: Validator = (value) =>
  Number(value) >= 0 ? undefined : `'${pythonText(value)}' should be non-negative`;

export const range =
  (low: number, high: number): Validator =>
  (value) => {
    if (Number(value) < low) return `'${pythonText(value)}' is too small - must be at least '${low}'`;
    return Number(value) > high ? `'${pythonText(value)}' is too large - must be no larger than '${high}'` : undefined;
  };

export const ipAddress: Validator = (value) => {
  if (typeof value !== "string") return `'${pythonText(value)}' is not a valid IP address`;
  if (parseIp(value) !== undefined) return undefined;
  const parts = value.split(".");
  if (parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) {
    return `'${value}' is not an accepted IP address, '${parts.map(Number).join(".")}' is recommended`;
  }
  return `'${value}' is not a valid IP address`;
};

/** `a.b.c.d/len` with or without host bits, as subnets and prefixes may be given. */
export const subnet: Validator = (value) => {
  const [address = "", length] = typeof value === "string" ? value.split("/") : [];
  const ip = parseIp(address);
  if (ip !== undefined && length === undefined) return notRecognized(value, `${address}/${bitsOf(ip.version)}`);
  return isCidr(value) ? undefined : `'${pythonText(value)}' is not a valid IP subnet`;
};

const notRecognized = (value: unknown, better: string) =>
  `'${pythonText(value)}' isn't a recognized IP subnet cidr, '${better}' is recommended`;

/** A CIDR of either family. */
export function isCidr(value: unknown): boolean {
  return typeof value === "string" && parseCidr(value) !== undefined;
}

const routeCidr: Validator = (value) => {
  if (!isCidr(value)) return `'${pythonText(value)}' is not a valid CIDR`;
  const cidr = value as string;
  const range = knownRange(cidr);
  const normal = cidrText(range);
  const isNormal = range.version === 4 ? normal === cidr : parseIp(cidr.split("/")[0] ?? "")?.value === range.first;
  if (!isNormal) return `'${cidr}' is not a recognized CIDR, '${normal}' is recommended`;
  const loopback = range.version === 4 ? 0x7f000000n : 1n;
  return range.first === loopback ? `'${cidr}' is not a routable CIDR` : undefined;
};

/** A list without duplicates whose items are all right. */
export const listOf =
  (item: Validator): Validator =>
  (value) => {
    if (!Array.isArray(value)) return `'${pythonText(value)}' is not a list`;
    const twice = duplicatesIn(value);
    if (twice.length > 0) return `Duplicate items in the list: '${twice.map(pythonText).join(", ")}'`;
    return firstFault(value, item);
  };

function duplicatesIn(list: unknown[]): unknown[] {
  const seen = new Set<string>();
  const twice = new Map<string, unknown>();
  for (const item of list) {
    const key = JSON.stringify(item);
    if (seen.has(key)) twice.set(key, item);
    seen.add(key);
  }
  return [...twice.values()];
}

function firstFault(list: unknown[], item: Validator): string | undefined {
  for (const one of list) {
    const fault = item(one);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function exactKeys(expected: string[], value: unknown): string | undefined {
  const names = (keys: string[]) => `{${keys.map(pythonRepr).join(", ")}}`;
  if (!isObject(value)) {
    return `Invalid input. '${pythonText(value)}' must be a dictionary with keys: ${pythonRepr(expected)}`;
  }
  const keys = Object.keys(value);
  if (keys.length === expected.length && expected.every((key) => keys.includes(key))) return undefined;
  return `Validation of dictionary's keys failed. Expected keys: ${names(expected)} Provided keys: ${names(keys)}`;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

interface Route {
  destination: unknown;
}

const addressesIn = (value: unknown, ...keys: string[]) =>
  firstFault(
    keys.map((key) => (value as Record<string, unknown>)[key]),
    ipAddress,
  );

export const pools: Validator = (value) => {
  if (!Array.isArray(value)) return `Invalid data format for IP pool: '${pythonText(value)}'`;
  return firstFault(value, (pool) => exactKeys(["start", "end"], pool) ?? addressesIn(pool, "start", "end"));
};

export const hostRoutes: Validator = (value) => {
  if (!Array.isArray(value)) return `Invalid data format for hostroute: '${pythonText(value)}'`;
  const fault = firstFault(
    value,
    (route) =>
      exactKeys(["destination", "nexthop"], route) ??
      routeCidr((route as Route).destination) ??
      addressesIn(route, "nexthop"),
  );
  const [twice] = duplicatesIn(value);
  return fault ?? (twice === undefined ? undefined : `Duplicate hostroute '${pythonText(twice)}'`);
};

/** Routes in the normal text of their addresses. */
export const normalRoutes = (routes: { destination: string; nexthop: string }[]) =>
  routes.map(({ destination, nexthop }) => ({
    destination: normalizeCidr(destination) ?? destination,
    nexthop: normalizeIp(nexthop),
  }));

export const nameservers: Validator = (value) => {
  if (!Array.isArray(value)) return `Invalid data format for nameserver: '${pythonText(value)}'`;
  const fault = firstFault(value, (host) => {
    const reason = ipAddress(host);
    return reason === undefined ? undefined : `'${pythonText(host)}' is not a valid nameserver. ${reason}`;
  });
  const [twice] = duplicatesIn(value);
  return fault ?? (twice === undefined ? undefined : `Duplicate nameserver '${pythonText(twice)}'`);
};

export const fixedIps: Validator = (value) => {
  if (!Array.isArray(value)) return `Invalid data format for fixed IP: '${pythonText(value)}'`;
  const seen = new Set<unknown>();
  return firstFault(value, (ip) => {
    if (!isObject(ip)) return `Invalid data format for fixed IP: '${pythonText(ip)}'`;
    if ("ip_address" in ip) {
      if (seen.has(ip.ip_address)) return `Duplicate IP address '${pythonText(ip.ip_address)}'`;
      const fault = ipAddress(ip.ip_address);
      if (fault !== undefined) return fault;
      seen.add(ip.ip_address);
    }
    return "subnet_id" in ip ? uuid(ip.subnet_id) : undefined;
  });
};

/** What is said of one key of an object. */
export interface KeyRule {
  required?: boolean;
  convert?: Converter;
  validate?: Validator;
}

/** An object with no other keys than these. Converted values are put into it, as neutron-lib does. */
export const dictOf =
  (rules: Record<string, KeyRule>): Validator =>
  (value) => {
    if (!isObject(value)) return `'${pythonText(value)}' is not a dictionary`;
    const required = Object.keys(rules).filter((key) => rules[key]?.required);
    if (!required.every((key) => key in value)) {
      const names = (keys: string[]) => `{${keys.map(pythonRepr).join(", ")}}`;
      return `Validation of dictionary's keys failed. Expected keys: ${names(required)} Provided keys: ${names(Object.keys(value))}`;
    }
    const unexpected = Object.keys(value).filter((key) => !(key in rules));
    if (unexpected.length > 0) return `Unexpected keys supplied: ${unexpected.join(", ")}`;
    for (const [key, rule] of Object.entries(rules)) {
      if (!(key in value)) continue;
      if (rule.convert !== undefined) value[key] = rule.convert(value[key]);
      const fault = rule.validate?.(value[key]);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

const trueWords = ["t", "true", "on", "y", "yes", "1"];
const falseWords = ["f", "false", "off", "n", "no", "0"];

export const toBoolean: Converter = (value) => {
  if (typeof value === "boolean") return value;
  const word = pythonText(value).trim().toLowerCase();
  if (trueWords.includes(word)) return true;
  if (falseWords.includes(word)) return false;
  throw neutron.invalidInput(`'${pythonText(value)}' cannot be converted to boolean`);
};

export const toInteger: Converter = (value) => {
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value)) return Number(value);
  throw neutron.invalidInput(`'${pythonText(value)}' is not an integer`);
};

export const nullToList: Converter = (value) => (value === null ? [] : value);

export const boolean: Validator = (value) =>
  typeof value === "boolean" ? undefined : `'${pythonText(value)}' is not a valid boolean value`;
