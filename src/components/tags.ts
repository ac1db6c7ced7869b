/** What marks everything that belongs to a stack: Neutron tag, server metadata `slipway`, part of descriptions. */
export function stackTag(project: string, stack: string): string {
  return `slipway:${project}/${stack}`;
}

/** The name of a stack's key pair: key pairs carry no tags, and Nova allows letters, digits, spaces, `-` and `_` only. */
export function keypairName(tag: string): string {
  return tag.replace(/[^A-Za-z0-9]+/g, "-");
}
