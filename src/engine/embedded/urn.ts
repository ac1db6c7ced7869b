/** The type of the resource that every program's top-level resources hang from. */
export const stackType = "pulumi:pulumi:Stack";
const providerPrefix = "pulumi:providers:";
/** The package of resources whose provider is written in the program itself (`@pulumi/pulumi/dynamic`). */
export const dynamicPackage = "pulumi-nodejs";

/** `urn:pulumi:<stack>::<project>::<parentQualifiedType>$<type>::<name>`; the stack itself adds nothing to the chain. */
export function makeUrn(stack: string, project: string, parent: string, type: string, name: string): string {
  const chain = parent === "" ? "" : qualifiedTypeOf(parent);
  const qualified = chain === "" || chain === stackType ? type : `${chain}$${type}`;
  return `urn:pulumi:${stack}::${project}::${qualified}::${name}`;
}

/** The name of the stack that a URN is of. */
export function stackOfUrn(urn: string): string {
  return (urn.split("::")[0] ?? "").slice("urn:pulumi:".length);
}

/** The name of the project that a URN is of. */
export function projectOfUrn(urn: string): string {
  return urn.split("::")[1] ?? "";
}

/** The part of a URN that says what its children are children of: its parents' types and its own. */
export function qualifiedTypeOf(urn: string): string {
  return urn.split("::")[2] ?? "";
}

/** A resource's own type, without its parents'. */
export function typeOf(urn: string): string {
  return qualifiedTypeOf(urn).split("$").at(-1) ?? "";
}

/** The same URN below another parent. */
export function withParent(urn: string, parent: string): string {
  return makeUrn(stackOfUrn(urn), projectOfUrn(urn), parent, typeOf(urn), nameOf(urn));
}

/** Everything after the third `::`; it may hold further ones. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** The package of a type or function token: `openstack` of `openstack:networking/network:Network`. */
export function packageOf(token: string): string {
  return token.split(":")[0] ?? "";
}

/** True for the type of a provider resource. */
export function isProviderType(type: string): boolean {
  return type.startsWith(providerPrefix);
}

/** The type of a package's provider resources. */
export function providerType(packageName: string): string {
  return `${providerPrefix}${packageName}`;
}

/** The package that a provider type configures. */
export function providedPackage(type: string): string {
  return type.slice(providerPrefix.length);
}

/** A provider as resources name it, `<urn>::<id>`, taken apart. */
export function parseProviderReference(reference: string): { urn: string; id: string } {
  const at = reference.lastIndexOf("::");
  return { urn: reference.slice(0, at), id: reference.slice(at + 2) };
}

/** `default`, or `default_3_15_2` where the SDK names a version, with the address that its plugin comes from, where one is named. */
export function defaultProviderName(version: string, pluginDownloadUrl = ""): string {
  const parts = ["default", version, pluginDownloadUrl].filter((part) => part !== "");
  return parts.map((part) => part.replace(/[^0-9A-Za-z]/g, "_")).join("_");
}

/** True for a provider that the engine made for itself, which its user need not see. */
export function isDefaultProvider(urn: string): boolean {
  return isProviderType(typeOf(urn)) && /^default(_|$)/.test(nameOf(urn));
}
