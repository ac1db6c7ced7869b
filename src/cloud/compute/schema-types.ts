import { z } from "zod";
import { alternatives, nameReason } from "../http/json-schema-words.ts";
import { pythonRepr } from "../http/python-repr.ts";

/** A value that is checked as one of Nova's own types is (`parameter_types.py`), and made into what we work with. */
function checked<T>(refusal: (value: unknown) => string | undefined, convert: (value: unknown) => T) {
  return z
    .unknown()
    .superRefine((value, context) => {
      const message = refusal(value);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    })
    .transform(convert);
}

const ofType = (value: unknown, ...types: string[]) =>
  `${pythonRepr(value)} is not of type ${types.map(pythonRepr).join(", ")}`;

/** Printable, and no blank at either end. */
const isName = (text: string) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(text) && !/^\p{Z}|\p{Z}$/u.test(text);

/** What people call things. */
export const name = z.string().min(1).max(255).refine(isName, nameReason);

/** A name of an availability zone: without a colon, which would lead to a host; null for none. */
export const zoneName = checked(
  (value) => {
    if (value === null) return undefined;
    const fits = typeof value === "string" && value.length > 0 && value.length <= 255 && !value.includes(":");
    return fits && isName(value) ? undefined : `${pythonRepr(value)} is not valid under any of the given schemas`;
  },
  (value) => value as string | null,
);

export const description = checked(
  (value) => {
    if (value === null) return undefined;
    if (typeof value !== "string") return ofType(value, "string", "null");
    return value.length > 255 ? `${pythonRepr(value)} is too long` : undefined;
  },
  (value) => value as string | null,
);

/** A whole number, also as a text of digits. */
export function count(minimum: number, maximum = Number.POSITIVE_INFINITY) {
  return checked(
    (value) => {
      if (typeof value !== "string" && !Number.isInteger(value)) return ofType(value, "integer", "string");
      if (typeof value === "string" && !/^[0-9]*$/.test(value)) return `${pythonRepr(value)} does not match '^[0-9]*$'`;
      if (value === "") return "'' is too short";
      if (Number(value) < minimum) return `${Number(value)} is less than the minimum of ${minimum}`;
      return Number(value) > maximum ? `${Number(value)} is greater than the maximum of ${maximum}` : undefined;
    },
    (value) => Number(value),
  );
}

/** A number, or a text of a form; null where that is among the types. */
export function textOrNumber(pattern: RegExp, kinds: string[]) {
  return checked(
    (value) => {
      if (typeof value === "number" || (value === null && kinds.includes("null"))) return undefined;
      if (typeof value !== "string") return ofType(value, ...kinds);
      if (value === "") return "'' is too short";
      return pattern.test(value) ? undefined : `${pythonRepr(value)} does not match ${pythonRepr(pattern.source)}`;
    },
    (value) => (value === null ? null : String(value)),
  );
}

/** The largest number that Nova's database takes. */
export const maxInt = 0x7fff_ffff;

const truths = ["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"];
const untruths = ["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"];

export const boolean = checked(
  (value) => {
    if (typeof value !== "string" && typeof value !== "boolean") return ofType(value, "boolean", "string");
    const known = [true, ...truths, false, ...untruths];
    return known.includes(value) ? undefined : `${pythonRepr(value)} is not one of ${pythonRepr(known)}`;
  },
  (value) => value === true || truths.includes(String(value)),
);

export const isUuid = (text: string) => /^(urn:)?(uuid:)?\{?([0-9a-f]-?){32}\}?$/i.test(text);

export const uuid = checked(
  (value) => {
    if (typeof value !== "string") return ofType(value, "string");
    return isUuid(value) ? undefined : `${pythonRepr(value)} is not a 'uuid'`;
  },
  (value) => value as string,
);

const ipv4 = z.ipv4();
const ipv6 = z.ipv6();

/** An address of either kind. */
export const ipAddress = z.string().refine((text) => ipv4.safeParse(text).success || ipv6.safeParse(text).success, {
  error: ({ input }) => `${pythonRepr(input)} is not valid under any of the given schemas`,
});
export const ipv4Address = ipv4;
export const ipv6Address = ipv6;

const metadataKey = /^[a-zA-Z0-9-_:. ]{1,255}$/;

/** Free metadata of servers, images and aggregates. */
export const metadata = z.record(z.string().regex(metadataKey), z.string().max(255));

/** As {@link metadata}; null takes an item away. */
export const nullableMetadata = z.record(z.string().regex(metadataKey), z.string().max(255).nullable());

export const diskConfig = z.enum(["AUTO", "MANUAL"]);

export const base64 = z.string().refine((text) => /^[A-Za-z0-9+/\s]*={0,2}$/.test(text.trimEnd()), {
  error: ({ input }) => `${pythonRepr(input)} is not a 'base64'`,
});

/** `flavorRef`: an id or the address of one. */
export const reference = z.union([z.string().min(1), z.int().transform(String)]);

/** Alternatives of which a value has to be one. */
export function oneOf<T extends readonly [z.ZodType, ...z.ZodType[]]>(options: T) {
  return z.union(options, { error: alternatives });
}

/** A field that comes with a microversion. */
export function since<T extends z.ZodType>(microversion: number, first: number, schema: T) {
  return microversion >= first ? schema.optional() : z.undefined().optional();
}

/** A field that is gone from a microversion on. */
export function until<T extends z.ZodType>(microversion: number, last: number, schema: T) {
  return microversion <= last ? schema.optional() : z.undefined().optional();
}

/** A host's name (`fqdn`). */
export const hostReference = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[a-zA-Z0-9-._]*$/);

/** A server's tag, and a disk's or interface's. */
export const tagSchema = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[^,/]*$/);
