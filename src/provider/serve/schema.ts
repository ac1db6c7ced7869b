import { providerFunctions } from "../functions.ts";
import { resourceKinds } from "../kinds.ts";
import type { Properties, Property, Shape } from "../schema/property.ts";

/** A package's schema as Pulumi has it (pulumi/pulumi, pkg/codegen/schema/pulumi.json), as far as engines and YAML programs use it. */
export function packageSchema(version: string): object {
  const types: Record<string, object> = {};
  const resources = Object.fromEntries(
    [...resourceKinds.values()].map(({ type, properties }) => [
      type,
      {
        properties: specsOf(type, properties, types),
        required: namesOf(properties, ({ output, required }) => (output || required) ?? false),
        inputProperties: specsOf(type, inputsOf(properties), types),
        requiredInputs: namesOf(inputsOf(properties), ({ required }) => required ?? false),
      },
    ]),
  );
  const functions = Object.fromEntries(
    [...providerFunctions.values()].map(({ token, args }) => [
      token,
      {
        inputs: {
          type: "object",
          properties: specsOf(token, args, types),
          required: namesOf(args, ({ required }) => required ?? false),
        },
        outputs: { type: "object", additionalProperties: { $ref: "pulumi.json#/Any" } },
      },
    ]),
  );
  return { name: "openstack", version, provider: {}, types, resources, functions };
}

function inputsOf(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([, property]) => !property.output));
}

function namesOf(properties: Properties, test: (property: Property) => boolean): string[] {
  return Object.entries(properties)
    .filter(([, property]) => test(property))
    .map(([name]) => name);
}

function specsOf(owner: string, properties: Properties, types: Record<string, object>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [
      name,
      {
        ...typeOf(owner, name, property.shape, types),
        ...(property.secret ? { secret: true } : {}),
        ...(property.replaces ? { willReplaceOnChanges: true } : {}),
      },
    ]),
  );
}

function typeOf(owner: string, name: string, shape: Shape, types: Record<string, object>): object {
  switch (shape.is) {
    case "list":
    case "set":
      return { type: "array", items: typeOf(owner, name, shape.of, types) };
    case "map":
      return { type: "object", additionalProperties: { type: "string" } };
    case "object": {
      const token = typeToken(owner, name);
      types[token] = { type: "object", properties: specsOf(token, shape.fields, types) };
      return { $ref: `#/types/${token}` };
    }
    default:
      return { type: shape.is };
  }
}

/** `openstack:compute/InstanceNetwork:InstanceNetwork` for `networks` of `openstack:compute/instance:Instance`. */
function typeToken(owner: string, property: string): string {
  const [packageName = "", path = "", type = ""] = owner.split(":");
  const module = path.split("/")[0] ?? "";
  const singular = property.endsWith("s") ? property.slice(0, -1) : property;
  const name = `${type.charAt(0).toUpperCase()}${type.slice(1)}${singular.charAt(0).toUpperCase()}${singular.slice(1)}`;
  return `${packageName}:${module}/${name}:${name}`;
}
