import { hostname } from "node:os";
import type { Origin } from "../guest/release-terms.ts";
import { loginName } from "./lock-holder.ts";

/** Who publishes now, and for what. */
export function originOf(kind: Origin["kind"], from?: Origin["from"]): Origin {
  return { kind, by: `${loginName()}@${hostname()}`, at: new Date().toISOString(), ...(from && { from }) };
}
