import { quoteForShell } from "../../contextualization/helpers.ts";
import type { CommandLine, CompletedOption, Values } from "./command-line.ts";
import { NAMES } from "./names.ts";

/** The completion for zsh. */
export function zshCompletion({ verbs, common }: CommandLine): string {
  const named = verbs.map(({ name, describe }) => quoteForShell(`${name}:${describe.replaceAll(":", "\\:")}`));
  return `#compdef slipway slipway.mjs
# zsh completion of slipway, for the verbs of this version: make it anew after an upgrade.
# In ~/.zshrc, after compinit: source <(slipway completion zsh)
# or once, into a folder of fpath: slipway completion zsh > ~/.zfunc/_slipway
_slipway_names() {
  compadd -- \${(f)"$(sh -c ${quoteForShell(NAMES)} sh "$1")"}
}
_slipway_stacks() { _slipway_names stacks }
_slipway_clouds() { _slipway_names clouds }
_slipway() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a common=(
    ${common.map(optionSpec).join("\n    ")}
  )
  _arguments -C $common '1: :->verb' '*:: :->rest' && return
  case $state in
    verb)
      local -a verbs=(
        ${named.join("\n        ")}
      )
      _describe verb verbs
      ;;
    rest)
      case $words[1] in
${verbs.map((verb) => `        ${verb.name}) _arguments $common ${[...verb.options.map(optionSpec), ...verb.positionals.flatMap(positionalSpec)].join(" ")} ;;`).join("\n")}
      esac
      ;;
  esac
}
if [[ $funcstack[1] == _slipway ]]; then _slipway "$@"; else compdef _slipway slipway slipway.mjs; fi
`;
}

function optionSpec({ name, describe, values }: CompletedOption): string {
  const text = `[${describe.replace(/[\\[\]:]/g, "\\$&")}]`;
  return quoteForShell(values === undefined ? `${name}${text}` : `${name}=${text}:${name.slice(2)}:${action(values)}`);
}

function positionalSpec(values: Values, place: number): string[] {
  // one of which nothing is known would keep zsh from completing an option in its place
  return values === "anything" ? [] : [quoteForShell(`${place + 1}: :${action(values)}`)];
}

function action(values: Values): string {
  if (typeof values === "object") return `(${values.join(" ")})`;
  return { stacks: "_slipway_stacks", clouds: "_slipway_clouds", files: "_files", anything: " " }[values];
}
