import { rm } from "node:fs/promises";
import { SlipwayError } from "../../../common/errors.ts";
import { dropCheckpoint, hasState } from "../state/backend.ts";
import { deleteBlob } from "../state/blob.ts";
import { pathsOf, requireRawCheckpoint, type StackPlace, withStateLock } from "./place.ts";

/**
 * Removes a stack's state, tags and history (pulumi/pulumi, pkg/backend/diy, removeStack); its last checkpoint stays as `.bak`, and so
 * do its backups. Answers how many resources nobody looks after any more.
 * @param remove what else belongs to the stack; done while it is locked
 * @throws SlipwayError E_USAGE for a stack that has resources, unless forced; E_LOCKED, E_STATE_DAMAGED
 */
export async function removeStack(
  place: StackPlace,
  { force, warn }: { force: boolean; warn: (message: string) => void },
  remove: (left: number) => Promise<void>,
): Promise<number> {
  const paths = pathsOf(place);
  return withStateLock(place, warn, async () => {
    const left = (await hasState(paths)) ? await resourcesOf(place) : 0;
    if (left > 0 && !force) {
      throw new SlipwayError("E_USAGE", `${place.stack} still has ${left} resources; removal rejected`, {
        hint: `Delete them first with \`slipway down ${place.stack}\`, or leave them behind with --force.`,
      });
    }
    await dropCheckpoint(paths);
    await deleteBlob(paths.tags);
    await rm(paths.history, { recursive: true, force: true });
    await remove(left);
    return left;
  });
}

async function resourcesOf(place: StackPlace): Promise<number> {
  const { latest } = (await requireRawCheckpoint(place)).checkpoint as { latest?: { resources?: unknown[] } };
  return latest?.resources?.length ?? 0;
}
