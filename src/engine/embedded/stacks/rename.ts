import { join } from "node:path";
import { namesIn } from "../../../common/files.ts";
import { dropCheckpoint, hasState, type StackPaths, writeCheckpoint } from "../state/backend.ts";
import { moveBlob } from "../state/blob.ts";
import type { CheckpointJson } from "../state/checkpoint.ts";
import type { ResourceJson } from "../state/resource-state.ts";
import { pathsOf, refuseExisting, requireCheckpoint, type StackPlace, withStateLock } from "./place.ts";
import { resourceInStack } from "./urns.ts";

/**
 * Gives a stack's state another name: the URNs of all its resources, its history and its backups. The old checkpoint stays as `.bak`.
 * A stack without state has nothing to be renamed here.
 * @param move what else has the stack's name; done while the stack is locked, after the state was renamed
 * @throws SlipwayError E_USAGE where the name is taken, E_LOCKED, E_STATE_DAMAGED, E_UNSUPPORTED
 */
export async function renameStack(
  place: StackPlace,
  name: string,
  warn: (message: string) => void,
  move: () => Promise<void>,
): Promise<void> {
  const target = { ...place, stack: name };
  const [from, to] = [pathsOf(place), pathsOf(target)];
  await withStateLock(place, warn, () =>
    withStateLock(target, warn, async () => {
      await refuseExisting(target);
      if (await hasState(from)) {
        const file = await requireCheckpoint(place);
        await writeCheckpoint(to, JSON.stringify(renamed(file, to.name, name)));
        await dropCheckpoint(from);
      }
      await moveFiles(from.history, to.history, `${place.stack}-`, `${name}-`);
      await moveFiles(from.backups, to.backups, `${place.stack}.`, `${name}.`);
      await moveBlob(from.tags, to.tags);
      await move();
    }),
  );
}

function renamed(file: CheckpointJson, name: string, stack: string): CheckpointJson {
  const { latest } = file.checkpoint;
  const move = (resource: unknown) => resourceInStack(resource as ResourceJson, stack);
  const content = {
    ...latest,
    ...(latest?.resources ? { resources: latest.resources.map(move) } : {}),
    ...(latest?.pending_operations
      ? { pending_operations: latest.pending_operations.map((one) => ({ ...one, resource: move(one.resource) })) }
      : {}),
  };
  return { ...file, checkpoint: { ...file.checkpoint, stack: name, latest: content } } as CheckpointJson;
}

async function moveFiles(
  from: StackPaths["history"],
  to: StackPaths["history"],
  oldPrefix: string,
  newPrefix: string,
): Promise<void> {
  for (const name of await namesIn(from)) {
    if (!name.startsWith(oldPrefix) || name.endsWith(".attrs")) continue;
    await moveBlob(join(from, name), join(to, `${newPrefix}${name.slice(oldPrefix.length)}`));
  }
}
