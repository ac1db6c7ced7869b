import { SlipwayError } from "../../common/errors.ts";
import type { ArmedFault, ArmedFaults, Arming, RecordedFault } from "./armed.ts";
import { type Fault, type FaultContext, keyOf } from "./fault.ts";
import { faultsCalled, ledger } from "./ledger.ts";

/** Arms and disarms a cloud's faults. Who can reach it, owns the cloud. */
export interface FaultControl {
  /**
   * Arms one fault, by row or name; a second time it begins anew.
   * @throws SlipwayError E_USAGE for a text that means none, or several
   */
  arm(text: string, arming?: Arming): ArmedFault;
  /**
   * Arms the faults of a record to strike at the same occasions again; what is armed beside them stays.
   * @throws SlipwayError E_USAGE for a record of faults that this cloud does not know
   */
  replay(record: readonly RecordedFault[]): ArmedFault[];
  /** Disarms the faults of a row or name, or all, and makes undone what they left. @returns the names of those that were armed */
  disarm(text?: string): Promise<string[]>;
  /** What is armed, with its firings. */
  list(): ArmedFault[];
}

export function faultControl(armed: ArmedFaults, context: FaultContext): FaultControl {
  return {
    arm: (text, arming) => armed.arm(exactlyOne(text), arming),
    replay(record) {
      const faults = record.map(({ id, only, delayMs, target }) => {
        return [exactlyOne(id), { only, delayMs, target: target ?? undefined }] as const;
      });
      return context.store.transaction(() => faults.map(([fault, arming]) => armed.arm(fault, arming)));
    },
    async disarm(text) {
      const faults = (text === undefined ? ledger : called(text)).filter((fault) => armed.find(fault) !== undefined);
      context.store.transaction(() => {
        for (const fault of faults) {
          armed.disarm(fault);
          fault.undo?.(context);
        }
      });
      await context.reconcile();
      return faults.map(keyOf);
    },
    list: () => ledger.flatMap((fault) => armed.find(fault) ?? []),
  };
}

function called(text: string): Fault[] {
  const found = faultsCalled(text);
  if (found.length > 0) return found;
  throw new SlipwayError("E_USAGE", `there is no fault ${text}`, { hint: "List them with `slipway cloud faults`." });
}

function exactlyOne(text: string): Fault {
  const [fault, ...others] = called(text);
  if (fault !== undefined && others.length === 0) return fault;
  throw new SlipwayError("E_USAGE", `${text} means ${others.length + 1} faults`, {
    hint: `Name one of them: ${called(text).map(keyOf).join(", ")}.`,
  });
}
