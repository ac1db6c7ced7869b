import { SlipwayError } from "../common/errors.ts";
import { readStackRecord } from "../release/stack-record.ts";
import { type StackOutputs, stackOutputs, withAddress } from "./stack-outputs.ts";
import type { Workspace } from "./workspace.ts";

/**
 * The outputs of a stack that `up` has made, with the address that was last made to lead to it.
 * @throws SlipwayError E_STACK_UNKNOWN for a stack that is not up
 */
export async function requireOutputs({ engine, reference, stack, stackHome }: Workspace): Promise<StackOutputs> {
  const found = stackOutputs.safeParse(await engine.outputs(reference));
  if (found.success) return withAddress(found.data, (await readStackRecord(stackHome))?.standIn);
  throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} is not up`, {
    hint: `Run \`slipway up ${stack}\` first.`,
  });
}
