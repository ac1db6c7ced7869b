import { existsSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import type { ErrorCode } from "../../common/error-catalogue.ts";
import { settingProblem } from "../../components/config.ts";
import { type Choice, flavorChoices, imageChoices, networkChoices } from "./choices.ts";
import type { Offer } from "./offer.ts";

/** What a new stack's configuration needs, by the option that gives it; in the order in which it is asked for. */
export const asked = ["image", "flavor", "external-network", "ssh-cidr", "model", "model-name"] as const;

export type Asked = (typeof asked)[number];
export type Answers = { [option in Asked]?: string | undefined };

/** One thing to find out. */
export interface Question {
  option: Asked;
  message: string;
  /** All that there is to choose from, the best first; undefined where any text may do. */
  choices: Choice[] | undefined;
  suggestion: string | undefined;
  /** True where the suggestion follows from what was answered before. */
  follows: boolean;
  /** Of the error where a given answer is wrong. */
  code: ErrorCode;
  /** What is wrong with an answer; undefined for a good one. */
  problem: (answer: string) => string | undefined;
}

/** What questions are made from. */
export interface Known {
  offer: Offer;
  /** This machine's address as the cloud's API sees it; undefined where that cannot be told. */
  ownAddress: string | undefined;
  projectRoot: string;
}

/** The model that comes with the project. */
const EXAMPLE = { directory: "models/diabetes/production", name: "diabetes" };

/** A question, as it is to be put after the answers so far. */
export function questionOf(option: Asked, answers: Answers, { offer, ownAddress, projectRoot }: Known): Question {
  const image = offer.images.find(({ name }) => name === answers.image);
  switch (option) {
    case "image":
      return choice(option, "What do the hosts boot from?", "image", imageChoices(offer.images));
    case "flavor":
      return choice(option, "How large are they?", "flavor", flavorChoices(offer.flavors, image));
    case "external-network": {
      const networks = networkChoices(offer.networks);
      return choice(option, "Which network do floating IPs come from?", "external network", networks);
    }
    case "ssh-cidr": {
      const ranges = offer.networks.find(({ name }) => name === answers["external-network"])?.ranges ?? [];
      const { range, origin } = sshCidr(ownAddress, ranges);
      const problem = (answer: string) => settingProblem("sshCidr", answer);
      return text(option, `From where is SSH let in? (an IPv4 range${origin})`, range, problem);
    }
    case "model": {
      const isThere = (path: string) => (existsSync(resolve(projectRoot, path)) ? undefined : `${path} does not exist`);
      const example = isThere(EXAMPLE.directory) === undefined ? EXAMPLE.directory : undefined;
      const message = "Where is the model? (a folder, or an .onnx file)";
      return { ...text(option, message, example, isThere), code: "E_MODEL_INVALID" };
    }
    case "model-name": {
      const problem = (name: string) => settingProblem("model", { name, directory: "." });
      return { ...text(option, "What is it called?", nameOf(answers.model), problem), follows: true };
    }
  }
}

function choice(option: Asked, message: string, what: string, choices: Choice[]): Question {
  const names = choices.map(({ name }) => name);
  const problem = (answer: string) =>
    names.includes(answer) ? undefined : `the cloud has no ${what} ${answer}; it has ${names.join(", ") || "none"}`;
  return { option, message, choices, suggestion: names[0], follows: false, code: "E_LOOKUP", problem };
}

function text(option: Asked, message: string, suggestion: string | undefined, problem: Question["problem"]): Question {
  return { option, message, choices: undefined, suggestion, follows: false, code: "E_USAGE", problem };
}

/** This machine alone; with a cloud on this machine, the range in which the machine has an address. Never everybody. */
function sshCidr(
  ownAddress: string | undefined,
  [externalRange]: string[],
): { range: string | undefined; origin: string } {
  if (ownAddress?.startsWith("127.") && externalRange !== undefined) {
    return { range: externalRange, origin: "; suggested: the external network, which this machine is in" };
  }
  if (ownAddress === undefined || ownAddress.startsWith("127.")) return { range: undefined, origin: "" };
  return { range: `${ownAddress}/32`, origin: "; suggested: this machine, where its address is not translated" };
}

/** A model's name after its folder or file. */
function nameOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (path.replace(/\/$/, "") === EXAMPLE.directory) return EXAMPLE.name;
  const name = basename(path, extname(path))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return name.replace(/^-|-$/g, "") || undefined;
}
