import { dirname, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { SlipwayError } from "../src/common/errors.ts";
import { stackHome } from "../src/common/home.ts";
import { loadStackConfig, type StackConfig } from "../src/components/config.ts";
import { readGenerations } from "../src/components/generations.ts";
import { lookUp } from "../src/components/look-ups.ts";
import { ModelServer, type ModelServerArgs } from "../src/components/model-server.ts";
import { plannedHosts } from "../src/components/planned-hosts.ts";
import { findPublication, readLoginPublicKey, readPublication } from "../src/components/publication.ts";

/** What a stack can be made of, by the name that its configuration says. */
const topologies: Record<StackConfig["topology"], (args: ModelServerArgs) => ModelServer> = {
  server: (args) => new ModelServer("model-server", args),
};

const projectRoot = dirname(import.meta.dirname);
const templateFolder = join(projectRoot, "cloud-init");
const project = pulumi.getProject();
const stack = pulumi.getStack();

/** The outputs of the stack. */
async function program(): Promise<ModelServer["outputs"]> {
  const config = loadStackConfig(project, pulumi.runtime.allConfig());
  // names that stand for nothing are told of before there is anything to make
  if ((await findPublication(projectRoot, stack)) === undefined) await lookUp(config, true);
  const publication = await readPublication(projectRoot, stack);
  const loginPublicKey = await readLoginPublicKey(projectRoot);
  const record = await readGenerations(stackHome(projectRoot, stack));
  // before the first resource: a template that cannot be rendered makes nothing
  const { recorded, missing, firstPort } = plannedHosts(
    { project, stack, config, publication, templateFolder },
    record,
  );
  const { forHost, externalNetworkId } = await lookUp(config, missing !== undefined);
  const hosts = missing && forHost ? [...recorded, { ...missing, ...forHost }] : recorded;
  const { sourceUrl } = publication;
  const made = { project, stack, config, externalNetworkId, hosts, firstPort, sourceUrl, loginPublicKey };
  return topologies[config.topology](made).outputs;
}

/** A failure with a code is shown without a stack trace: code and reason, details, hint, each on a line of its own. */
function plainly(error: unknown): never {
  if (!(error instanceof SlipwayError)) throw error;
  const lines = [
    `${error.code}: ${error.message}`,
    ...error.details,
    ...(error.hint === undefined ? [] : [`→ ${error.hint}`]),
  ];
  throw new pulumi.RunError(lines.join("\n"));
}

export default await program().catch(plainly);
