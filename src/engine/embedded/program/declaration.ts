import { unknown } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { nameOf, packageOf, parseProviderReference, stackType, typeOf } from "../urn.ts";
import { isMap, ResourceReference, Secret, type Value, type ValueMap } from "../values/value.ts";
import { identifierOf } from "./identifier.ts";

/** What the declarations are written with. */
export interface DeclarationContext {
  /** What the program calls its resources: URN by variable. */
  named: Record<string, string>;
  /** URNs of providers that the program must name. */
  explicitProviders: ReadonlySet<string>;
  /** The npm package of a provider's package. */
  sdkOf(packageName: string): Promise<string>;
}

const indentation = "    ";

/**
 * The program, in TypeScript, that declares resources as the state has them, in the form that `pulumi import` prints. A secret is
 * not written down: it is taken from the configuration, under the name of resource and property.
 */
export async function declarationsOf(
  states: readonly ResourceState[],
  { named, explicitProviders, sdkOf }: DeclarationContext,
): Promise<string> {
  const variables = new Map(Object.entries(named).map(([variable, urn]) => [urn, variable]));
  const taken = new Set(variables.values());
  for (const { urn } of states) {
    if (variables.has(urn)) continue;
    const variable = freeOf(identifierOf(nameOf(urn)), taken);
    taken.add(variable);
    variables.set(urn, variable);
  }
  const variableOf = (urn: string) => variables.get(urn) ?? identifierOf(nameOf(urn));
  const packages = [...new Set(states.map(({ type }) => packageOf(type)))];
  const imports = await Promise.all(
    packages.map(async (name) => `import * as ${identifierOf(name)} from ${JSON.stringify(await sdkOf(name))};`),
  );
  const declarations = states.map((state) => {
    const { parent, provider, protect } = state;
    const providerUrn = provider === undefined ? "" : parseProviderReference(provider).urn;
    const options = [
      ...(parent === undefined || typeOf(parent) === stackType ? [] : [`parent: ${variableOf(parent)}`]),
      ...(explicitProviders.has(providerUrn) ? [`provider: ${variableOf(providerUrn)}`] : []),
      ...(protect ? ["protect: true"] : []),
    ];
    const parts = [
      JSON.stringify(nameOf(state.urn)),
      ...(Object.keys(state.inputs).length === 0 && options.length === 0 ? [] : [mapText(state.inputs, "", state)]),
      ...(options.length === 0 ? [] : [block("{", options, "}", "")]),
    ];
    return `const ${variableOf(state.urn)} = new ${classOf(state.type)}(${parts.join(", ")});`;
  });
  return ['import * as pulumi from "@pulumi/pulumi";', ...imports, "", ...declarations].join("\n");
}

/** `openstack.networking.Network` of `openstack:networking/network:Network`. */
function classOf(type: string): string {
  const [packageName = "", module = "", name = ""] = type.split(":");
  const folder = module.split("/")[0] ?? "";
  return [identifierOf(packageName), ...(folder === "" || folder === "index" ? [] : [folder]), name].join(".");
}

function mapText(map: ValueMap, indent: string, state: ResourceState, path = ""): string {
  const entries = Object.keys(map)
    .filter((key) => key !== "__defaults" && map[key] !== null && map[key] !== unknown)
    .sort();
  if (entries.length === 0) return "{}";
  const lines = entries.map((key) => {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
    return `${name}: ${valueText(map[key] as Value, `${indent}${indentation}`, state, `${path}-${key}`)}`;
  });
  return block("{", lines, "}", indent);
}

function valueText(value: Value, indent: string, state: ResourceState, path: string): string {
  if (value instanceof Secret) return `new pulumi.Config().requireSecret(${JSON.stringify(nameOf(state.urn) + path)})`;
  if (value instanceof ResourceReference) return stringText(value.id || value.urn);
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    if (value.length === 1) return `[${valueText(value[0] as Value, indent, state, path)}]`;
    const items = value.map((item) => valueText(item, `${indent}${indentation}`, state, path));
    return block("[", items, "]", indent);
  }
  if (isMap(value)) return mapText(value, indent, state, path);
  return typeof value === "string" ? stringText(value) : String(value);
}

function block(open: string, lines: readonly string[], close: string, indent: string): string {
  return [open, ...lines.map((line) => `${indent}${indentation}${line},`), `${indent}${close}`].join("\n");
}

/** Text of several lines stays that in the program; an end of line at the beginning or the end makes none. */
function stringText(text: string): string {
  const lines = text.split("\n").length - 1;
  if (lines === 0 || (lines === 1 && (text.startsWith("\n") || text.endsWith("\n")))) return JSON.stringify(text);
  return `\`${text.replace(/[`\\]|\$\{/g, "\\$&").replaceAll("\r", "\\r")}\``;
}

function freeOf(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}${number}`;
  return free;
}
