import { addressFaults } from "./address-faults.ts";
import { apiFaults } from "./api-faults.ts";
import { type Fault, keyOf } from "./fault.ts";
import { groupFaults } from "./group-faults.ts";
import { guestFaults } from "./guest-faults.ts";
import { serverFaults } from "./server-faults.ts";
import { storeFaults } from "./store-faults.ts";
import { volumeFaults } from "./volume-faults.ts";

/** Every fault that this cloud can have; docs/reference/faults.md shows them, and a test compares the two. */
export const ledger: readonly Fault[] = [
  ...[...addressFaults, ...apiFaults, ...groupFaults, ...serverFaults],
  ...[...volumeFaults, ...guestFaults, ...storeFaults],
].toSorted((one, other) => one.row.localeCompare(other.row));

/** The faults that a text means: `P03`, `P03:fip-timeout-but-applied` or `fip-timeout-but-applied`. */
export function faultsCalled(text: string): Fault[] {
  return ledger.filter((fault) => [fault.row, keyOf(fault), fault.name].includes(text));
}
