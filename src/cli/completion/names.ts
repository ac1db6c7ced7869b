/**
 * POSIX sh that prints names, one a line: `sh -c NAMES sh stacks` and `… clouds`. It takes milliseconds, where starting Node would take
 * a second. Stacks are the files beside the nearest Pulumi.yaml; clouds are all entries of the files that openstacksdk looks for and of
 * the embedded cloud's. Only names of the grammar of stacks are let through: bash expands what it is given, so a name such as
 * `$(…)` would be run.
 */
export const NAMES = String.raw`
root=$PWD
while [ ! -f "$root/Pulumi.yaml" ] && [ -n "$root" ]; do root=${"$"}{root%/*}; done
case $1 in
  stacks)
    folder=$(sed -n "s/^stackConfigDir: *//p" "$root/Pulumi.yaml" 2>/dev/null)
    for file in "$root/${"$"}{folder:-.}"/Pulumi.*.yaml; do
      [ -f "$file" ] || continue
      name=${"$"}{file##*/Pulumi.}
      echo "${"$"}{name%.yaml}"
    done ;;
  clouds)
    for file in "$OS_CLIENT_CONFIG_FILE" clouds.yaml clouds.yml "$HOME"/.config/openstack/clouds.y*ml /etc/openstack/clouds.y*ml \
      "${"$"}{SLIPWAY_HOME:-$root/.slipway}/clouds.yaml"; do
      [ -f "$file" ] && awk "
        /^[^ #]/ { inside = /^clouds:/; depth = 0 }
        inside && /^ +[^ #]/ {
          indent = match(\$0, /[^ ]/)
          if (!depth) depth = indent
          if (indent == depth) { gsub(/^ +|:.*|[\"\047]/, \"\"); print }
        }" "$file"
    done | sort -u ;;
esac | LC_ALL=C grep -E '^[A-Za-z0-9_.-]+$'
`.trim();
