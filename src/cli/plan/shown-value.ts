import { isUnknownSentinel, signatureKey, signatures } from "../../engine/embedded/values/wire.ts";
import type { MaskedJson } from "../../engine/events.ts";
import { isEnvelope } from "./property-changes.ts";

/** A property's value for people, on one line: JSON with secrets masked and unknowns named. */
export function shownValue(value: MaskedJson | undefined): string {
  return value === undefined
    ? "—"
    : JSON.stringify(plain(value)).replaceAll(`"${notKnown}"`, notKnown).replaceAll(`"${secret}"`, secret);
}

const secret = "[secret]";
const notKnown = "[not known yet]";

function plain(value: MaskedJson): MaskedJson {
  if (typeof value === "string") return isUnknownSentinel(value) ? notKnown : value;
  if (isEnvelope(value)) return value[signatureKey] === signatures.secret ? secret : String(value.urn);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
