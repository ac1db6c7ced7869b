import type { IncomingHttpHeaders } from "node:http";
import type { Kind } from "./headers.ts";
import { plainRefusal } from "./refusals.ts";

/** Swift's defaults: bytes, and how many. */
export const metadataLimits = { name: 128, value: 256, count: 90, overall: 4096, header: 8192 };

/** @throws ApiError 400 in Swift's words for metadata that is too much, or nameless */
export function demandSmallMetadata(headers: IncomingHttpHeaders, kind: Kind): void {
  const prefix = `x-${kind}-meta-`;
  const texts = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  for (const [name, value] of texts) {
    if (value.length > metadataLimits.header) {
      throw plainRefusal(400, `Header value too long: ${titled(name).slice(0, metadataLimits.name)}`);
    }
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    if (key === "") throw plainRefusal(400, "Metadata name cannot be empty");
    if (key.length > metadataLimits.name) throw plainRefusal(400, `Metadata name too long: ${prefix}${titled(key)}`);
    if (value.length > metadataLimits.value) {
      const { value: most } = metadataLimits;
      throw plainRefusal(400, `Metadata value longer than ${most}: ${prefix}${titled(key)}`);
    }
  }
  const own = texts.filter(([name]) => name.startsWith(prefix));
  demandSmallWhole(Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])));
}

/** The same of all that an account, container or object has. @throws ApiError 400 */
export function demandSmallWhole(metadata: Record<string, string>): void {
  const all = Object.entries(metadata);
  if (all.length > metadataLimits.count) {
    throw plainRefusal(400, `Too many metadata items; max ${metadataLimits.count}`);
  }
  if (all.reduce((sum, [name, value]) => sum + name.length + value.length, 0) > metadataLimits.overall) {
    throw plainRefusal(400, `Total metadata too large; max ${metadataLimits.overall}`);
  }
}

/** As Python's servers write a header's name. */
const titled = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_all, dash, letter) => dash + letter.toUpperCase());
