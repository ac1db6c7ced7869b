import type { CommandLine, CompletedOption, Values } from "./command-line.ts";
import { NAMES } from "./names.ts";

/** The completion for fish. */
export function fishCompletion({ verbs, common }: CommandLine): string {
  const after = (verb: string) => ["-n", quote(`__fish_seen_subcommand_from ${verb}`)];
  const lines = [
    ...common.map((option) => complete(optionWords(option))),
    ...verbs.flatMap(({ name, describe, options, positionals }) => [
      complete(["-n", "__fish_use_subcommand", "-a", name, "-d", quote(describe)]),
      ...options.map((option) => complete([...after(name), ...optionWords(option)])),
      ...positionals.map((values) => complete([...after(name), ...valueWords(values)])),
    ]),
  ];
  return `# fish completion of slipway, for the verbs of this version: make it anew after an upgrade.
# Once: slipway completion fish > ~/.config/fish/completions/slipway.fish
function __slipway_names
    sh -c ${quote(NAMES)} sh $argv[1]
end
complete -c slipway -f
${lines.join("\n")}
complete -c slipway.mjs -w slipway
`;
}

function complete(words: string[]): string {
  return ["complete -c slipway", ...words].join(" ");
}

function optionWords({ name, describe, values }: CompletedOption): string[] {
  const option = ["-l", name.slice(2), "-d", quote(describe)];
  return values === undefined ? option : [...option, values === "files" ? "-r" : "-x", ...valueWords(values)];
}

function valueWords(values: Values): string[] {
  if (values === "files") return ["-F"];
  if (values === "anything") return [];
  return ["-a", quote(typeof values === "object" ? values.join(" ") : `(__slipway_names ${values})`)];
}

/** Between single quotes fish knows two escapes. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
