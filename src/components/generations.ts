import { join } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";

/** Name of the file in a stack's home. */
export const GENERATIONS_FILE = "generations.json";

const number = z.number().int().min(1);

const hostSchema = z.object({
  number,
  /** The image's name, and the image that it stood for when the host was made. */
  image: z.string(),
  imageId: z.string(),
  /** The same of the flavor. */
  flavor: z.string(),
  flavorId: z.string(),
  /** Name of the key pair. */
  keyPair: z.string(),
  /** What Nova is given. */
  userData: z.string(),
  roles: z.array(z.string()),
  frontendPort: z.number().int(),
});

const recordSchema = z.object({
  schemaVersion: z.literal(1),
  /** Number of the hosts that the address leads to. */
  live: number,
  /** The highest number that was ever given: none is given twice. */
  highest: number,
  /** The frontend's port of the first generation: its rule of the firewall has the name that all stacks know. */
  firstPort: z.number().int(),
  hosts: z.array(hostSchema).min(1),
});

/** What a host was made from: as long as it lives, it is declared with exactly this. */
export type GenerationHost = z.infer<typeof hostSchema>;

/** The generations of a stack that live, in the order of their numbers: `generations.json` in the stack's home. */
export type Generations = z.infer<typeof recordSchema>;

/** What a configuration would make a host from, by the names that it has. */
export type WantedHost = Omit<GenerationHost, "number" | "imageId" | "flavorId"> & {
  /** Where the configuration names it. */
  imageId: string | undefined;
};

/** Which hosts a stack is to have in the end. */
export type WantedGeneration =
  /** One that lives already. */
  | { made: true; number: number }
  /** One that is to be made beside the live one, and why. */
  | { made: false; number: number; reasons: string[] };

/**
 * The generations that a stack has; undefined where none has ever been live.
 * @throws SlipwayError E_STATE_DAMAGED
 */
export async function readGenerations(stackHome: string): Promise<Generations | undefined> {
  const file = join(stackHome, GENERATIONS_FILE);
  const text = await readTextIfExists(file);
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SlipwayError("E_STATE_DAMAGED", `${file} cannot be read`, {
      cause,
      hint: "Restore it from a backup; without it the stack's hosts would be replaced, not renewed side by side.",
    });
  }
}

/** The host of a number. */
export function hostOf({ hosts }: Generations, wanted: number): GenerationHost {
  const found = hosts.find((host) => host.number === wanted);
  if (found === undefined) throw new Error(`there is no generation ${wanted} among those that live`);
  return found;
}

/**
 * What a stack's hosts are to be in the end. A host is compared with what the configuration would have made it from under its own number, by
 * names: an image or flavor that got its name later does not make it another host.
 * @param want what the configuration makes a host of this number from
 * @param configured the number that the configuration asks for at least
 */
export function wantedGeneration(
  record: Generations,
  want: (number: number) => WantedHost,
  configured: number,
): WantedGeneration {
  const newest = record.hosts.at(-1) as GenerationHost;
  const live = hostOf(record, record.live);
  const reasons = differences(newest, want(newest.number));
  if (configured > newest.number) reasons.push(`the configuration asks for generation ${configured}`);
  if (reasons.length === 0) return { made: true, number: newest.number };
  const returned = newest !== live && differences(live, want(live.number)).length === 0 && configured <= live.number;
  if (returned) return { made: true, number: live.number };
  return { made: false, number: Math.max(record.highest + 1, configured), reasons };
}

/** Why a configuration does not mean this host, in words for people. */
function differences(host: GenerationHost, want: WantedHost): string[] {
  const named = (word: string, before: string, after: string) =>
    before === after ? [] : [`the ${word} ${word === "roles" ? "change" : "changes"} from ${before} to ${after}`];
  const image =
    want.imageId === undefined ? named("image", host.image, want.image) : named("image", host.imageId, want.imageId);
  const port = named("frontend's port", String(host.frontendPort), String(want.frontendPort));
  const others = [
    ...image,
    ...named("flavor", host.flavor, want.flavor),
    ...named("key pair", host.keyPair, want.keyPair),
    ...named("roles", sorted(host.roles), sorted(want.roles)),
    ...port,
  ];
  // the port is in the user-data, too: said once
  return host.userData === want.userData || port.length > 0 ? others : [...others, "the user-data changes"];
}

const sorted = (roles: string[]) => [...roles].sort().join(" ");
