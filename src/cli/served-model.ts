import { z } from "zod";
import { bearer } from "../common/bearer.ts";
import { SlipwayError } from "../common/errors.ts";
import { fetchHostModel } from "../release/host-model.ts";
import { storedModel, unpackedModel } from "../release/published-model.ts";
import { findOwnToken } from "../release/tokens.ts";
import { identitySchema, type ModelIdentity } from "../serving/models/registry.ts";
import { deliveryOf } from "./delivery.ts";
import { type ReadyModel, readyModel } from "./given-model.ts";
import { withHost } from "./host-access.ts";
import { publicationOf } from "./host-verdict.ts";
import { attachedAddress } from "./public-address.ts";
import { requireOutputs } from "./running-stack.ts";
import { endpointUrl, type StackOutputs, withAddress } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import { requireOwnCloud, type Workspace } from "./workspace.ts";

const ASK_MS = 10_000;
const modelsAnswer = z.object({ models: z.array(identitySchema.extend({ default: z.boolean() })) });

/** A model that serves on a stack. */
export interface ServedModel {
  outputs: StackOutputs;
  /** As that stack knows it. */
  identity: ModelIdentity;
}

/**
 * What a stack's endpoint answers with where no model is named, by its own word: it may have been trained there, and be in no manifest.
 * @throws SlipwayError E_STACK_UNKNOWN for a stack without an endpoint, E_UNHEALTHY for one that does not tell
 */
export async function servedModel(workspace: Workspace): Promise<ServedModel> {
  const { stack, stackHome } = workspace;
  const known = await requireOutputs(workspace);
  await requireOwnCloud(workspace);
  const address = await attachedAddress(workspace, known);
  if (address === undefined) {
    throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} has no address that leads to its host`, {
      hint: `Run \`slipway up ${stack}\` first.`,
    });
  }
  const outputs = withAddress(known, address);
  const identity = await defaultModelAt(endpointUrl(outputs), await findOwnToken(stackHome));
  if (identity !== undefined) return { outputs, identity };
  throw new SlipwayError("E_UNHEALTHY", `${endpointUrl(outputs)} does not tell which model it serves`, {
    hint: `Look with \`slipway status ${stack}\` whether it serves.`,
  });
}

async function defaultModelAt(url: string, token: string | undefined): Promise<ModelIdentity | undefined> {
  try {
    const answer = await fetch(`${url}/v1/models`, {
      headers: bearer(token),
      signal: AbortSignal.timeout(ASK_MS),
    });
    return modelsAnswer.parse(await answer.json()).models.find((model) => model.default);
  } catch {
    return undefined; // no answer, or another server's
  }
}

/**
 * Brings a stack's served model here, ready to be published elsewhere: out of this machine's cache, the stack's store, or over SSH from
 * the host, which alone has what was trained there. It has answered its golden rows here.
 * @param name under which it shall serve
 * @throws SlipwayError E_PAYLOAD_MISSING, E_MODEL_INVALID, E_GATE_FAILED, E_SSH, E_HOST_KEY
 */
export async function bringServedModel(
  workspace: Workspace,
  reporter: Reporter,
  { outputs, identity }: ServedModel,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<ReadyModel> {
  const { version, digest } = identity;
  return reporter.phase("model", `${identity.name} version ${version} of ${workspace.stack}`, async (progress) => {
    const place = publicationOf(workspace, await deliveryOf(workspace));
    const folder = await unpackedModel(digest, async () => {
      const stored = await storedModel(place, digest);
      if (stored !== undefined) return stored;
      progress.note(`it is brought from ${outputs.serverName}, where it was made`);
      return withHost(workspace, { outputs, progress, signal }, (connection) =>
        fetchHostModel(connection, digest, signal),
      );
    });
    const model = await readyModel(name, folder);
    if (model.digest === digest) return model;
    throw new SlipwayError("E_MODEL_INVALID", `what is in the cache for ${digest} has the digest ${model.digest}`, {
      hint: `Remove ${folder} and run the command again.`,
    });
  });
}
