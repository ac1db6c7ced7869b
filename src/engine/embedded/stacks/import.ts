import { z } from "zod";
import { messageOf, SlipwayError } from "../../../common/errors.ts";
import { Vault } from "../secrets/vault.ts";
import { writeCheckpoint } from "../state/backend.ts";
import { formatCheckpoint, openDeployment, parseCheckpoint } from "../state/checkpoint.ts";
import { integrityProblem } from "../state/integrity.ts";
import { stackOfUrn } from "../urn.ts";
import { pathsOf, type StackPlace, withStateLock } from "./place.ts";

const exported = z.looseObject({
  version: z.number(),
  features: z.array(z.string()).nullish(),
  deployment: z.looseObject({}),
});

/** How a deployment is imported. */
export interface ImportOptions {
  passphrase: string;
  /** The salt of the stack's file: for a deployment that brings none. */
  salt: string | undefined;
  /** Takes what would be refused, with a warning. */
  force: boolean;
  warn: (message: string) => void;
}

/**
 * Replaces a stack's state by a deployment that was exported (pulumi/pulumi, pkg/cmd/pulumi/stack, SaveSnapshot): it must be this
 * stack's and whole, and what it says of operations under way is dropped. Answers the number of resources.
 * @throws SlipwayError E_USAGE for one that is refused, E_UNSUPPORTED, E_PASSPHRASE_WRONG, E_LOCKED
 */
export async function importStack(place: StackPlace, text: string, options: ImportOptions): Promise<number> {
  const { passphrase, force, warn } = options;
  const paths = pathsOf(place);
  const file = parsed(text, paths.name);
  const vault = await Vault.open(passphrase, file.checkpoint.latest?.secrets_providers?.state?.salt ?? options.salt);
  const deployment = openDeployment(file, vault);
  const problems = deployment.resources
    .filter(({ urn }) => stackOfUrn(urn) !== place.stack)
    .map(({ urn }) => `resource '${urn}' is from a different stack (${stackOfUrn(urn)} != ${place.stack})`);
  const broken = integrityProblem(deployment.resources);
  if (broken !== undefined) problems.push(`the state contradicts itself: ${broken}`);
  if (problems.length > 0 && !force) throw refused(problems);
  for (const problem of problems) warn(problem);
  for (const { type, resource } of deployment.pending) {
    warn(`removing pending operation '${type}' on '${resource.urn}' from snapshot`);
  }
  await withStateLock(place, warn, () =>
    writeCheckpoint(paths, formatCheckpoint(paths.name, { ...deployment, pending: [] }, vault)),
  );
  return deployment.resources.length;
}

function parsed(text: string, name: string) {
  let content: z.infer<typeof exported>;
  try {
    content = exported.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? "it has no version and deployment" : messageOf(cause);
    throw new SlipwayError("E_USAGE", `what is to be imported is no exported deployment: ${why}`, {
      cause,
      hint: "Give it what `slipway stack export` or `pulumi stack export` wrote.",
    });
  }
  const { version, features, deployment } = content;
  try {
    return parseCheckpoint(
      "to be imported",
      JSON.stringify({ version, features, checkpoint: { stack: name, latest: deployment } }),
    );
  } catch (cause) {
    if (!(cause instanceof SlipwayError) || cause.code !== "E_STATE_DAMAGED") throw cause;
    throw refused([cause.message], cause);
  }
}

function refused([first = "", ...others]: string[], cause?: unknown): SlipwayError {
  return new SlipwayError("E_USAGE", first, {
    cause,
    details: others,
    hint: "Mend the deployment and import it again, or take it as it is with --force; the state is as it was.",
  });
}
