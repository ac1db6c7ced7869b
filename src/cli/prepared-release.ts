import { resolve } from "node:path";
import type { Digest } from "../common/digest.ts";
import type { Expectation } from "../health/check-endpoint.ts";
import { buildPayload } from "../release/payload.ts";
import { type StagedRelease, stageRelease } from "../release/publication.ts";
import { ensureLoginKey } from "../remote/login-key.ts";
import { importAnyModel } from "../serving/models/import-any.ts";
import { packageTar } from "../serving/models/package.ts";
import { probeOf } from "../serving/models/probe.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { hostSettings } from "./host-settings.ts";
import type { Reporter } from "./ui/reporter.ts";
import { bindToCloud, type Workspace } from "./workspace.ts";

/** A model ready to be published, with what an endpoint serving it must answer. */
export interface ReadyModel {
  name: string;
  bytes: Uint8Array;
  digest: Digest;
  expectation: Expectation;
}

/** What a stack's hosts are to run, staged where they get it from. */
interface PreparedRelease {
  model: ReadyModel;
  delivery: Delivery;
  staged: StagedRelease;
}

/**
 * The first part of an `up`: imports the model, logs in, and stages payload and model. For a stack that has published nothing yet they
 * are published at once, since its first hosts look for them as soon as they boot.
 * @param given the model's folder or file, where it is not the configured one
 */
export async function prepareRelease(
  workspace: Workspace,
  reporter: Reporter,
  given: string | undefined,
): Promise<PreparedRelease> {
  const { session, config, projectRoot } = workspace;
  const { name, directory } = config.model;
  const model = await reporter.phase("model", `model ${name}`, () =>
    readyModel(name, resolve(projectRoot, given ?? directory)),
  );
  await reporter.phase("authenticate", `log in to ${workspace.cloud ?? session.authUrl}`, () => bindToCloud(workspace));
  const delivery = await deliveryOf(workspace);
  const place = delivery.bring === undefined ? "in the object store" : "ready to be pushed";
  const staged = await reporter.phase("publish", `payload and model ${place}`, ({ note }) =>
    stage(workspace, delivery, model, note),
  );
  return { model, delivery, staged };
}

/** Imports a model and computes its golden rows. */
export async function readyModel(name: string, directory: string): Promise<ReadyModel> {
  const model = await importAnyModel(directory);
  const { bytes, digest } = await packageTar(model);
  const expectation = { digest, ...probeOf(name, model.card, model.golden) };
  return { name, bytes, digest, expectation };
}

async function stage(
  workspace: Workspace,
  { store }: Delivery,
  { name, bytes: content }: ReadyModel,
  log: (line: string) => void,
): Promise<StagedRelease> {
  const { projectRoot, stack, home, stackHome } = workspace;
  await ensureLoginKey(home);
  const payload = await buildPayload({ projectRoot, log });
  const settings = await hostSettings(workspace);
  const model = { name, content };
  const staged = await stageRelease({ store, stack, home: stackHome, payload, model, settings, log });
  if (staged.changed && staged.replaced === undefined) await staged.publish();
  return staged;
}
