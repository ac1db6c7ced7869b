import { type CloudEntry, findProfile } from "./clouds-file.ts";
import type { CloudsFileSearch } from "./clouds-search.ts";

/** The text of a setting; undefined for one that is not there, is null or is empty. */
export function textOf(value: unknown): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

/** Key by key the later entry counts; inside `auth` too, and nowhere deeper. */
export function overlaid(...entries: CloudEntry[]): CloudEntry {
  return { ...Object.assign({}, ...entries), auth: Object.assign({}, ...entries.map(({ auth }) => auth)) };
}

/** An entry with what its profile and its region add. */
export interface CompleteEntry {
  entry: CloudEntry;
  region: string | undefined;
  /** The profile that it names and that no clouds-public.yaml has. */
  unknownProfile?: string;
}

/**
 * Adds to an entry what its `profile` in clouds-public.yaml says, and what belongs to its region: the one that is asked for, else the
 * first that it or its profile names.
 */
export async function completeEntry(
  own: CloudEntry,
  askedRegion: string | undefined,
  search: CloudsFileSearch,
): Promise<CompleteEntry> {
  const name = textOf(own.profile ?? own.cloud); // `cloud` is what openstacksdk called it once
  const profile = name === undefined ? undefined : await findProfile(name, search);
  const known = [own.regions, own.region_name, profile?.regions, profile?.region_name].find((value) => value) ?? [];
  const regions = regionsOf(known);
  const region = askedRegion ?? regions[0]?.name;
  const values = regions.find((one) => one.name === region)?.values ?? {};
  return {
    entry: overlaid(profile ?? {}, own, values),
    region,
    ...(name === undefined || profile !== undefined ? {} : { unknownProfile: name }),
  };
}

/** A list of names, or of names with settings; or names in one text, with commas. */
function regionsOf(known: unknown): { name: string | undefined; values: CloudEntry }[] {
  const list = Array.isArray(known) ? (known as unknown[]) : String(known).split(",");
  return list.map((one) => {
    const { name, values } = typeof one === "object" && one !== null ? (one as Record<string, unknown>) : { name: one };
    return { name: textOf(name), values: (values ?? {}) as CloudEntry };
  });
}
