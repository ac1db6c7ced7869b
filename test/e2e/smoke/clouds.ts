import { join } from "node:path";
import { whyNoGuests } from "../guests/scratch-cloud.ts";
import { Slipway } from "../slipway.ts";

/** A cloud for the steps, and what there is on it. */
export interface SmokeCloud {
  /** The client's environment: where its clouds.yaml is, and the entry. */
  env: Record<string, string>;
  image: string;
  flavor: string;
  /** The external network's name. */
  external: string;
  /** The image's login. */
  user: string;
  /** Ends the cloud where it is the test's own. */
  remove(): Promise<void>;
}

/** An entry of the machine's clouds.yaml to run the steps on, in place of an embedded cloud of the test's own. */
const given = process.env.SLIPWAY_SMOKE_CLOUD;

/** Why the steps cannot run here, for a test's name; undefined where they can. */
export const whyNoCloud = async () => (given === undefined ? whyNoGuests() : undefined);

/**
 * The cloud that the environment names by `SLIPWAY_SMOKE_CLOUD`, with `SLIPWAY_SMOKE_IMAGE`, `_FLAVOR`, `_NETWORK` and `_USER` where they
 * are others than the embedded cloud's; else an embedded one with real guests.
 */
export async function smokeCloud(): Promise<SmokeCloud> {
  const { env } = process;
  const offered = {
    image: env.SLIPWAY_SMOKE_IMAGE ?? "debian-13",
    flavor: env.SLIPWAY_SMOKE_FLAVOR ?? "m1.small",
    external: env.SLIPWAY_SMOKE_NETWORK ?? "public",
    user: env.SLIPWAY_SMOKE_USER ?? "debian",
  };
  if (given !== undefined) {
    const file = env.OS_CLIENT_CONFIG_FILE;
    const entry = { OS_CLOUD: given, ...(file === undefined ? {} : { OS_CLIENT_CONFIG_FILE: file }) };
    return { ...offered, env: entry, remove: async () => undefined };
  }
  const slipway = await Slipway.create();
  const { result } = await slipway.run(["cloud", "start", "--hypervisor", "nspawn"]);
  if (result?.ok !== true) throw new Error(`the embedded cloud did not start: ${JSON.stringify(result)}`);
  return {
    ...offered,
    env: { OS_CLOUD: "slipway", OS_CLIENT_CONFIG_FILE: join(slipway.home, "clouds.yaml") },
    async remove() {
      const left = await slipway.remove();
      if (left.length > 0) throw new Error(left.join("; "));
    },
  };
}
