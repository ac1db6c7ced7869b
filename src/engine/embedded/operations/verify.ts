import type { StackReference } from "../../engine.ts";
import { assertKnown, openState, openVault, readStackFiles, readState } from "./stack-files.ts";

/** Opens a stack's state as an operation would, and leaves it as it is. */
export async function verify(stack: StackReference): Promise<void> {
  const files = await readStackFiles(stack);
  await assertKnown(files);
  const json = await readState(files);
  if (json !== undefined) openState(files.paths, json, await openVault(stack, files.file, json));
}
