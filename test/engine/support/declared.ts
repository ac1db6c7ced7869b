/** One resource of the fixture `declared`. */
export interface Declaration {
  kind: string;
  name: string;
  inputs?: Record<string, unknown>;
  options?: Record<string, unknown>;
  read?: string;
}

/** A resource of the program. */
export function declare(
  kind: string,
  name: string,
  inputs: Record<string, unknown> = {},
  options: Record<string, unknown> = {},
): Declaration {
  return { kind, name, inputs, options };
}

/** The configuration with which the fixture `declared` is a program of these resources. */
export function program(declarations: Declaration[], outputs: unknown = {}): Record<string, string> {
  return { "declared:program": JSON.stringify(declarations), "declared:outputs": JSON.stringify(outputs) };
}

/** The URN of one of its resources; `parents` are the types of the components that it is in. */
export function declaredUrn(type: string, name: string): string {
  return `urn:pulumi:dev::declared::${type}::${name}`;
}

/** The type tokens of its kinds. */
export const types = {
  Group: "test:index:Group",
  Provider: "pulumi:providers:openstack",
  Network: "openstack:networking/network:Network",
  Subnet: "openstack:networking/subnet:Subnet",
  SecGroup: "openstack:networking/secGroup:SecGroup",
} as const;
