import { ec2Folder, type Folder, type Leaf } from "./ec2.ts";
import type { Instance } from "./instance.ts";
import { type MetadataFile, openstackFile, openstackListing } from "./openstack.ts";
import { ec2Versions, isSince, newestEc2, newestOpenstack, openstackVersions } from "./versions.ts";

/** What a path leads to; `broken` is where Nova fails, `password` what the guest itself may write. */
export type Found = MetadataFile | "password" | "missing" | "broken";

/** @param words of the path, see {@link pathWords}; what does not begin with `openstack` or `ec2` is EC2's */
export function lookUp(instance: Instance, words: string[]): Found {
  const [first, ...rest] = words;
  if (first === "openstack") return inOpenstack(instance, rest);
  return inEc2(instance, first === "ec2" ? rest : words);
}

const text = (content: string | Uint8Array): MetadataFile => ({ content, type: "text/plain" });
const listing = (names: readonly string[]) => text(names.join("\n"));

/** The version that a word names, or undefined. */
function versionNamed<V extends string>(versions: readonly V[], newest: V, word: string): V | undefined {
  return word === "latest" ? newest : versions.find((version) => version === word);
}

function inOpenstack(instance: Instance, [word, ...rest]: string[]): Found {
  if (word === undefined) return listing([...openstackVersions, "latest"]);
  const version = versionNamed(openstackVersions, newestOpenstack, word);
  if (version === undefined) return "missing"; // `content` too: Nova keeps no files for later
  const name = rest.join("/");
  switch (name) {
    case "":
    case "version":
      return listing(openstackListing(instance, version));
    case "password":
      return isSince(version, "2013-04-04") ? "password" : "missing";
    case "content":
      return "broken";
    default:
      return openstackFile(instance, version, name) ?? "missing";
  }
}

function inEc2(instance: Instance, [word, ...rest]: string[]): Found {
  if (word === undefined) return listing([...ec2Versions, "latest"]);
  const version = versionNamed(ec2Versions, newestEc2, word);
  if (version === undefined) return "missing";
  let found: Leaf | Folder = ec2Folder(instance, version);
  for (const [index, name] of rest.entries()) {
    const isLast = index === rest.length - 1;
    if (!isFolder(found)) return isBrokenAt(found, name, isLast) ? "broken" : "missing";
    const next: Leaf | Folder | undefined = Object.hasOwn(found, name) ? found[name] : undefined;
    if (next === undefined) return "missing";
    found = next;
  }
  return text(printed(found));
}

const isFolder = (found: Leaf | Folder): found is Folder =>
  typeof found === "object" && !Array.isArray(found) && !(found instanceof Uint8Array);

/** Nova fails where something is asked for right below a value, and in a list only for what the list has. */
const isBrokenAt = (leaf: Leaf, name: string, isLast: boolean) => (Array.isArray(leaf) ? leaf.includes(name) : isLast);

/** A folder as the list of what is in it, in the order of the names' characters; folders that have no other name end in `/`. */
function printed(found: Leaf | Folder): string | Uint8Array {
  if (Array.isArray(found)) return found.join("\n");
  if (!isFolder(found)) return typeof found === "number" ? String(found) : found;
  const names = Object.keys(found).filter((name) => name !== "_name");
  return names
    .sort()
    .map((name) => {
      const inside = found[name];
      if (inside === undefined || !isFolder(inside)) return name;
      return typeof inside._name === "string" ? inside._name : `${name}/`;
    })
    .join("\n");
}
