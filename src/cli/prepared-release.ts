import { resolve } from "node:path";
import { followedManifest, type StagedRelease, stageRelease } from "../release/publication.ts";
import { tableFile } from "../release/published-files.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { passGateHere } from "./gate-here.ts";
import { givenModel, type ReadyModel } from "./given-model.ts";
import { hostSettings } from "./host-settings.ts";
import { publicationOf } from "./host-verdict.ts";
import { shareLock } from "./locked.ts";
import { termsOf } from "./release-terms.ts";
import type { Reporter } from "./ui/reporter.ts";
import { bindToCloud, type Workspace } from "./workspace.ts";

/** What a stack's hosts are to run, staged where they get it from. */
interface PreparedRelease {
  model: ReadyModel;
  delivery: Delivery;
  staged: StagedRelease;
}

/** What is prepared, by whom. */
interface Preparation {
  /** The model's folder, file or address, where it is not the configured one. */
  given: string | undefined;
  kind: "up" | "push";
  lock: StackLock;
  signal: AbortSignal;
}

/**
 * The first part of an `up`: imports the model, logs in, and stages payload and model. For a stack that has published nothing yet they
 * are published at once, since its first hosts look for them as soon as they boot.
 */
export async function prepareRelease(
  workspace: Workspace,
  reporter: Reporter,
  { given, kind, lock, signal }: Preparation,
): Promise<PreparedRelease> {
  const { session, projectRoot, home } = workspace;
  const model = await givenModel(workspace, reporter, given, signal);
  await reporter.phase("authenticate", `log in to ${workspace.cloud ?? session.authUrl}`, () => bindToCloud(workspace));
  const delivery = await deliveryOf(workspace);
  await shareLock(lock, workspace, delivery);
  const place = publicationOf(workspace, delivery);
  const followed = await followedManifest(place);
  // the stack's own file, or who pushes, says which model it is to be
  await passGateHere(workspace, reporter, model, { place, followed, url: undefined, allowNewInputs: true, signal });
  const where = delivery.bring === undefined ? "in the object store" : "ready to be pushed";
  const staged = await reporter.phase("publish", `payload and model ${where}`, async ({ note: log }) => {
    const { ensureLoginKey } = await import("../remote/login-key.ts");
    await ensureLoginKey(home);
    const { buildPayload } = await import("../release/payload.ts");
    const payload = await buildPayload({ projectRoot, log });
    const { name, bytes: content } = model;
    const settings = await hostSettings(workspace);
    const { gate } = workspace.config;
    // where hosts judge by it themselves
    const table = settings.git?.accuracy && gate?.accuracy && resolve(projectRoot, gate.accuracy.table);
    const release = await stageRelease({
      ...place,
      payload,
      model: { name, content },
      settings,
      ...(table !== undefined && { files: [await tableFile(table)] }),
      terms: termsOf(workspace, kind),
      log,
    });
    if (release.changed && release.replaced === undefined) await release.publish();
    return release;
  });
  return { model, delivery, staged };
}
