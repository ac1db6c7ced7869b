import { isUnknownSentinel, signatureKey, signatures } from "../../engine/embedded/values/wire.ts";
import type { MaskedJson } from "../../engine/events.ts";
import { isEnvelope } from "./property-changes.ts";

const secret = "[secret]";
const notKnown = "[not known yet]";

/** A property's value for people, on one line: JSON with secrets masked and unknowns named. */
export function shownValue(value: MaskedJson | undefined): string {
  if (value === undefined) return "nothing";
  return JSON.stringify(plain(value)).replaceAll(`"${notKnown}"`, notKnown).replaceAll(`"${secret}"`, secret);
}

/** True for a value that is known only when the plan is carried out, in part or as a whole. */
export function isNotKnown(value: MaskedJson | undefined): boolean {
  if (typeof value === "string") return isUnknownSentinel(value);
  return typeof value === "object" && value !== null && Object.values(value).some(isNotKnown);
}

function plain(value: MaskedJson): MaskedJson {
  if (typeof value === "string") return isUnknownSentinel(value) ? notKnown : value;
  if (isEnvelope(value)) return value[signatureKey] === signatures.secret ? secret : String(value.urn);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
