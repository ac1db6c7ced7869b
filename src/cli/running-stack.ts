import { SlipwayError } from "../common/errors.ts";
import { readStackRecord } from "../release/stack-record.ts";
import { liveOutputs, type StackOutputs, stackOutputs, withAddress } from "./stack-outputs.ts";
import type { Workspace } from "./workspace.ts";

/**
 * The outputs of a stack that `up` has made, with the address that was last made to lead to it: those of the hosts that serve.
 * @throws SlipwayError E_STACK_UNKNOWN for a stack that is not up
 */
export async function requireOutputs(workspace: Workspace): Promise<StackOutputs> {
  return liveOutputs(workspace.stackHome, await requireNewestOutputs(workspace));
}

/** The same of its newest hosts, whether they serve yet or not. */
export async function requireNewestOutputs(workspace: Workspace): Promise<StackOutputs> {
  const { engine, reference, stack, stackHome } = workspace;
  const found = stackOutputs.safeParse(await engine.outputs(reference));
  if (found.success) return withAddress(found.data, (await readStackRecord(stackHome))?.standIn);
  throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} is not up`, {
    hint: `Run \`slipway up ${stack}\` first.`,
  });
}
