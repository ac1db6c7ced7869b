import { addressFaults } from "./address-faults.ts";
import { type Fault, keyOf } from "./fault.ts";
import { guestFaults } from "./guest-faults.ts";
import { serverFaults } from "./server-faults.ts";

/** Every fault that this cloud can have; docs/reference/faults.md shows them, and a test compares the two. */
export const ledger: readonly Fault[] = [...addressFaults, ...serverFaults, ...guestFaults];

/** The faults that a text means: `P03`, `P03:fip-timeout-but-applied` or `fip-timeout-but-applied`. */
export function faultsCalled(text: string): Fault[] {
  return ledger.filter((fault) => [fault.row, keyOf(fault), fault.name].includes(text));
}
