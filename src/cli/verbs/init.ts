import { relative } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../common/files.ts";
import { slipwayHome } from "../../common/home.ts";
import { loadStackConfig } from "../../components/config.ts";
import { loadProject, type Project } from "../../engine/embedded/project/project.ts";
import { loadStackFile } from "../../engine/embedded/project/stack-file.ts";
import { findCredentials } from "../../openstack/clouds.ts";
import { openSession } from "../../openstack/session.ts";
import { type Answering, completeAnswers } from "../init/answers.ts";
import { ask } from "../init/ask.ts";
import { initCi } from "../init/ci.ts";
import { readOffer } from "../init/offer.ts";
import { ownAddressTowards } from "../init/own-address.ts";
import type { Answers, Asked } from "../init/questions.ts";
import { stackFileText } from "../init/stack-file.ts";
import { type Call, verb as declare } from "../verb.ts";
import { DEFAULT_STACK, embeddedCloudsFile, findProjectRoot } from "../workspace.ts";

const value = { type: "string", requiresArg: true } as const;
const options = {
  image: { ...value, describe: "name of the hosts' image" },
  flavor: { ...value, describe: "name of the hosts' flavor" },
  "external-network": { ...value, describe: "name of the network that floating IPs come from" },
  "ssh-cidr": { ...value, describe: "from where SSH is let in, an IPv4 range" },
  model: { ...value, normalize: true, describe: "the model's folder or .onnx file" },
  "model-name": { ...value, describe: "the model's name" },
  force: { type: "boolean", default: false, describe: "replace the file where there is one" },
  pair: {
    type: "boolean",
    default: false,
    describe: "two stacks: `development`, whose hosts train, and `production`; a file that is there is kept",
  },
  github: { type: "boolean", default: false, describe: "`init ci`: write a workflow for GitHub" },
  gitlab: { type: "boolean", default: false, describe: "`init ci`: write a pipeline for GitLab" },
  for: { ...value, describe: "`init ci`: the stack that the workflow works on; production unless given" },
  branch: {
    ...value,
    describe: "the branch whose changes `init ci` deploys, or a push of which is released; main unless given",
  },
  "deploy-key": {
    ...value,
    normalize: true,
    describe: "file of a public key: its owner may push models to the hosts, which release them",
  },
} as const;

type InitCall = Call<typeof options>;

export const verb = declare({
  options,
  run: async (call) => {
    const { args, reporter, signal } = call;
    const { github, gitlab, for: stackOfCi = DEFAULT_STACK, branch = "main", force } = args;
    if (github || gitlab) {
      if (args.stack !== "ci") {
        throw new SlipwayError("E_USAGE", "--github and --gitlab write a workflow, and no stack's file", {
          hint: "Write `slipway init ci --github`, or leave them out.",
        });
      }
      const kinds = [...(github ? ["github" as const] : []), ...(gitlab ? ["gitlab" as const] : [])];
      const asks = isAsked(call);
      return initCi({ kinds, stack: stackOfCi, branch, force, asks, reporter, signal });
    }
    const projectRoot = await findProjectRoot(process.cwd());
    const project = await loadProject(projectRoot);
    const stacks = await wantedStacks(call);
    const wanted = await freeOnes(project, stacks, args);

    const { osCloud } = args;
    const extraFiles = [embeddedCloudsFile(slipwayHome(projectRoot))];
    const credentials = await findCredentials({ ...(osCloud === undefined ? {} : { cloud: osCloud }), extraFiles });
    const { cloud } = credentials;
    const session = openSession(credentials);
    const offer = await reporter.phase("offer", `what ${cloud ?? session.authUrl} offers`, () => readOffer(session));
    const ownAddress = await ownAddressTowards(session.authUrl);
    const answers = await completeAnswers(given(args), { offer, ownAddress, projectRoot }, answering(call));

    const git = await gitConfig(project.name, args);
    const files = wanted.map(({ stack, roleConfig }) => {
      const config = { ...configOf(project.name, cloud, answers), ...roleConfig(project.name), ...git };
      return { stack, config, settings: loadStackConfig(project.name, config) };
    });
    signal.throwIfAborted();
    const written: { stack: string; file: string; config: Record<string, unknown> }[] = [];
    for (const { stack, config, settings } of files) {
      const file = await requireFree(project, stack, force);
      await writeFileAtomic(file, stackFileText(project.name, config), 0o644);
      if (settings.sshCidr === "0.0.0.0/0") reporter.note(`0.0.0.0/0 lets everybody try to log in to ${stack} by SSH`);
      written.push({ stack, file, config });
    }
    const next = `npx slipway up ${stacks.map(({ stack }) => stack).join(" ")}`;
    const [first] = written;
    const { timings } = reporter;
    reporter.result(
      args.pair ? { ok: true, stacks: written, cloud, next, timings } : { ok: true, ...first, cloud, next, timings },
      [...written.map(({ file }) => `${relative(process.cwd(), file)} is written.`), `Next: ${next}`].join("\n"),
    );
  },
});

/** A stack that gets a file. */
interface WantedStack {
  stack: string;
  /** What its file says besides what it is made from. */
  roleConfig: (project: string) => Record<string, unknown>;
}

/** Where models are trained, and where they serve: two stacks, so that nothing that fails in one touches the other. */
const pair: WantedStack[] = [
  // hosts train for those alone who may deploy to them
  { stack: "development", roleConfig: (project) => ({ [`${project}:tokens`]: { trainer: "deploy" } }) },
  { stack: "production", roleConfig: () => ({}) },
];

async function wantedStacks(call: InitCall): Promise<WantedStack[]> {
  const { args } = call;
  if (!args.pair) return [{ stack: args.stack ?? (await askForName(call)), roleConfig: () => ({}) }];
  if (args.stack === undefined) return pair;
  throw new SlipwayError("E_USAGE", "--pair names its stacks itself: development and production", {
    hint: "Leave the name out.",
  });
}

/** Those that may be written. Of a pair one that is there already is kept, unless by force. Throws SlipwayError E_USAGE where none may. */
async function freeOnes(project: Project, stacks: WantedStack[], { force }: InitCall["args"]): Promise<WantedStack[]> {
  if (force) return stacks;
  const there = await Promise.all(stacks.map(async ({ stack }) => (await loadStackFile(project, stack)).exists));
  const free = stacks.filter((_, index) => !there[index]);
  if (free.length === 0) for (const { stack } of stacks) await requireFree(project, stack, force);
  return free;
}

/** Questions are asked of people only: at a terminal, and of those who did not say otherwise. */
function isAsked({ args }: InitCall): boolean {
  return Boolean(process.stdin.isTTY && process.stderr.isTTY) && !args.json && !args.yes;
}

function answering(call: InitCall): Answering {
  if (isAsked(call)) return (question) => ask(question, call.signal);
  return call.args.yes ? "suggested" : "required";
}

function askForName(call: InitCall): Promise<string> {
  if (!isAsked(call)) {
    throw new SlipwayError("E_USAGE", "the new stack has no name", { hint: "Name it, e.g. `slipway init staging`." });
  }
  const problem = (name: string) => (name === "" ? "it needs a name" : undefined);
  return ask(
    { message: "What is the new stack called?", choices: undefined, suggestion: undefined, problem },
    call.signal,
  );
}

/** The path of the new stack's file. @throws SlipwayError E_USAGE where there is one that must not be replaced */
async function requireFree(project: Project, stack: string, force: boolean): Promise<string> {
  const { path, exists } = await loadStackFile(project, stack);
  if (!exists || force) return path;
  throw new SlipwayError("E_USAGE", `${path} is there already`, {
    hint: "Choose another name for the new stack, or add --force to replace the file.",
  });
}

function given(args: InitCall["args"]): Answers {
  const { image, flavor, externalNetwork, sshCidr, model, modelName } = args;
  return { image, flavor, "external-network": externalNetwork, "ssh-cidr": sshCidr, model, "model-name": modelName };
}

/** Who may push, where that is said. Throws SlipwayError E_USAGE for a file that cannot be read. */
async function gitConfig(
  project: string,
  { deployKey, branch = "main" }: InitCall["args"],
): Promise<Record<string, unknown>> {
  if (deployKey === undefined) return {};
  const key = (await readTextIfExists(deployKey))?.trim();
  if (key === undefined) {
    throw new SlipwayError("E_USAGE", `there is no file ${deployKey}`, {
      hint: "Make a key with `ssh-keygen -t ed25519 -f deploy_key`, and name its public half.",
    });
  }
  return { [`${project}:git`]: { branch, keys: [key] } };
}

/** As a stack's file has it. */
function configOf(project: string, cloud: string | undefined, answers: Record<Asked, string>): Record<string, unknown> {
  return {
    ...(cloud === undefined ? {} : { "openstack:cloud": cloud }),
    [`${project}:image`]: answers.image,
    [`${project}:flavor`]: answers.flavor,
    [`${project}:externalNetwork`]: answers["external-network"],
    [`${project}:sshCidr`]: answers["ssh-cidr"],
    [`${project}:model`]: { name: answers["model-name"], directory: answers.model },
  };
}
