import { SlipwayError } from "../common/errors.ts";
import { createEmbeddedEngine } from "../engine/embedded/embedded-engine.ts";
import type { Engine } from "../engine/engine.ts";
import { findInstallation, type RequiredPlugin, requireInstallation } from "../engine/official/find.ts";
import { createOfficialEngine } from "../engine/official/official-engine.ts";
import { openstackPackage, openstackVersion } from "../provider/serve/identity.ts";

type Kind = Engine["kind"];
const kinds: readonly Kind[] = ["embedded", "official"];

/** Which engine works on a stack, and why that one. */
export interface EngineChoice {
  kind: Kind;
  /** Completes "engine embedded: …". */
  why: string;
}

/** What our programs need of the official engine; the version is that of the SDK that they import. */
const requiredPlugins: readonly RequiredPlugin[] = [{ name: openstackPackage, version: openstackVersion }];

/**
 * The engine that was asked for — on the command line, else with SLIPWAY_ENGINE — else the one that the stack was last worked on
 * with, else the official one where all of it is installed. Changing is harmless: both work on the same state.
 * @param option `--engine`
 * @param recorded what the stack remembers
 * @throws SlipwayError E_ENGINE_MISSING for an official engine that was asked for and is not installed, E_USAGE for another word in
 * SLIPWAY_ENGINE
 */
export async function chooseEngine(option: Kind | "auto", recorded: Kind | undefined): Promise<EngineChoice> {
  const asked = option === "auto" ? ofEnvironment(process.env.SLIPWAY_ENGINE) : option;
  if (asked !== "auto") {
    if (asked === "official") await requireInstallation(requiredPlugins);
    const changed = recorded !== undefined && recorded !== asked;
    return { kind: asked, why: changed ? `as asked, after ${recorded}; both work on the same state` : "as asked" };
  }
  if (recorded !== undefined) return { kind: recorded, why: "as the last time" };
  const { missing } = await findInstallation(requiredPlugins);
  const [reason] = missing;
  if (reason !== undefined) return { kind: "embedded", why: reason };
  return { kind: "official", why: "the Pulumi CLI and its OpenStack plugin are installed" };
}

function ofEnvironment(word = ""): Kind | "auto" {
  const kind = kinds.find((known) => known === word);
  if (kind !== undefined || word === "" || word === "auto") return kind ?? "auto";
  throw new SlipwayError("E_USAGE", `SLIPWAY_ENGINE is ${JSON.stringify(word)}, which is no engine`, {
    hint: `Set it to auto, ${kinds.join(" or ")}.`,
  });
}

/**
 * The engine of a kind, with the OpenStack provider; the embedded one's also knows the clouds of `extraCloudsFiles`. Every other package
 * has a plugin of its own; with SLIPWAY_OPENSTACK_PLUGIN=1 OpenStack has one too, to compare the two.
 */
export function engineOf(kind: Kind, extraCloudsFiles: string[]): Engine {
  if (kind === "official") return createOfficialEngine({ plugins: requiredPlugins });
  const ours = process.env.SLIPWAY_OPENSTACK_PLUGIN === "1" ? undefined : openstackPackage;
  return createEmbeddedEngine({
    providers: async (name) => {
      if (name !== ours) return undefined;
      const { createOpenStackProvider } = await import("../provider/provider.ts");
      return createOpenStackProvider({ extraCloudsFiles });
    },
  });
}
