import { Document, isScalar, type YAMLMap } from "yaml";
import { type Setting, settingNotes } from "../../components/config.ts";

/**
 * The text of a stack's file: each setting with what it is for, and the names of those that may be left out.
 * @param config `namespace:key` → value
 */
export function stackFileText(project: string, config: Record<string, unknown>): string {
  const document = new Document({ config });
  for (const { key } of (document.get("config") as YAMLMap).items) {
    if (isScalar(key)) key.commentBefore = ` ${noteOf(project, String(key.value))}`;
  }
  const others = Object.keys(settingNotes).map((name) => `${project}:${name}`);
  const unset = others.filter((name) => !(name in config)).join(", ");
  document.commentBefore = ` Made by \`slipway init\`. These may be added: ${unset}.`;
  return document.toString();
}

function noteOf(project: string, key: string): string {
  if (key === "openstack:cloud") return "The entry of clouds.yaml that the stack lives in";
  return settingNotes[key.slice(project.length + 1) as Setting];
}
