import { SlipwayError } from "../common/errors.ts";
import { type StackOutputs, stackOutputs } from "./stack-outputs.ts";
import type { Workspace } from "./workspace.ts";

/**
 * The outputs of a stack that `up` has made.
 * @throws SlipwayError E_STACK_UNKNOWN for a stack that is not up
 */
export async function requireOutputs({ engine, reference, stack }: Workspace): Promise<StackOutputs> {
  const found = stackOutputs.safeParse(await engine.outputs(reference));
  if (found.success) return found.data;
  throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} is not up`, {
    hint: `Run \`slipway up ${stack}\` first.`,
  });
}
