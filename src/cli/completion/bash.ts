import { quoteForShell } from "../../contextualization/helpers.ts";
import type { CommandLine, Values } from "./command-line.ts";
import { NAMES } from "./names.ts";

/** The completion for bash, 3.2 and newer. */
export function bashCompletion({ verbs, common }: CommandLine): string {
  const options = [...verbs.flatMap((verb) => verb.options.map((option) => ({ ...option, verb: `"${verb.name} "` })))];
  const valued = [...options, ...common.map((option) => ({ ...option, verb: '*" "' }))].filter(
    ({ values }) => values !== undefined,
  );
  const valuedNames = [...new Set(valued.map(({ name }) => name))];
  const places = verbs.flatMap(({ name, positionals }) =>
    positionals.map((values, place) => ({ name, place, values })),
  );
  return `# bash completion of slipway, for the verbs of this version: make it anew after an upgrade.
# In ~/.bashrc: source <(slipway completion bash)
# or once:      slipway completion bash > ~/.local/share/bash-completion/completions/slipway
_slipway_names() {
  sh -c ${quoteForShell(NAMES)} sh "$1"
}
_slipway() {
  local IFS=$'\\n' current=\${COMP_WORDS[COMP_CWORD]} verb= option= words= place=0 index word
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in
      ${valuedNames.join("|")})
        # bash makes a word of the sign in --option=value
        [[ \${COMP_WORDS[index + 1]} == "=" ]] && ((index++))
        ((++index >= COMP_CWORD)) && option=$word
        ;;
      -*) ;;
      *) if [[ -z $verb ]]; then verb=$word; else ((place++)); fi ;;
    esac
  done
  [[ $current == "=" ]] && current=
  if [[ -n $option ]]; then
    case "$verb $option" in
${cases(valued.map(({ verb, name, values }) => [`${verb}${name}`, values]))}
    esac
  elif [[ $current == -* ]]; then
    case $verb in
${cases(verbs.map((verb) => [verb.name, verb.options.map(({ name }) => name)]))}
    esac
    words+=$'\\n'${lines(common.map(({ name }) => name))}
  elif [[ -z $verb ]]; then
    words=${lines(verbs.map(({ name }) => name))}
  else
    case "$verb $place" in
${cases(places.map(({ name, place, values }) => [`"${name} ${place}"`, values]))}
    esac
  fi
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _slipway slipway slipway.mjs
`;
}

/** Branches of a \`case\` for the patterns after which something is known. */
function cases(branches: [pattern: string, values: Values | undefined][]): string {
  return branches
    .flatMap(([pattern, values]) => {
      const command = fill(values);
      return command === undefined ? [] : [`      ${pattern}) ${command} ;;`];
    })
    .join("\n");
}

/** The command that fills \`words\`, or the answer itself. */
function fill(values: Values | undefined): string | undefined {
  if (values === undefined || values === "anything" || values.length === 0) return undefined;
  if (values === "stacks" || values === "clouds") return `words=$(_slipway_names ${values})`;
  if (values === "files") return `COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null`;
  return `words=${lines(values)}`;
}

function lines(words: readonly string[]): string {
  return `$'${words.join("\\n")}'`;
}
