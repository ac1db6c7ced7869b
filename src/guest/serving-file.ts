import type { z } from "zod";
import { aiEngineSettings } from "../serving/aiengine/settings.ts";
import { type ServingConfig, type ServingConfigFile, servingConfig, servingSettings } from "../serving/config.ts";
import type { Host } from "./host.ts";
import type { Manifest } from "./manifest.ts";

export const LOOPBACK = "127.0.0.1";
/** Unless the stack says otherwise; with two, one that is killed or restarted costs no request. */
const RUNTIMES = 2;

/**
 * The text of serving.json: what the stack's configuration says, in the host's own places, and what comes of it.
 * @param queueHost where the queue's server is asked
 * Throws where this payload does not understand the stack's settings.
 */
export function servingFileOf(
  { config, paths }: Pick<Host, "config" | "paths">,
  manifest: Pick<Manifest, "payload" | "settings">,
  queueHost = LOOPBACK,
): { file: string; serving: ServingConfig } {
  const { queue, frontend } = config.roles;
  const { tokens, serving: given = {}, aiengine, scale } = manifest.settings;
  const settings = understood("serving", servingSettings, given);
  const content: ServingConfigFile = {
    runtimes: [{ name: "default", replicas: scale?.runtime ?? RUNTIMES }],
    ...settings,
    payload: manifest.payload.digest,
    stack: config.stack,
    host: config.host,
    generation: config.generation,
    frontend: {
      ...settings.frontend,
      host: "0.0.0.0",
      port: frontend?.port ?? 5100,
      stateDir: paths.frontendState,
      ...(tokens && { tokensFile: paths.tokens }),
    },
    runtimeDir: paths.runtimeDir,
    modelsDir: paths.models,
    releases: { statusFile: paths.releaseStatus, historyFile: paths.releaseHistory },
    ...(aiengine && {
      aiengine: {
        ...understood("aiengine", aiEngineSettings, aiengine.settings),
        host: "0.0.0.0",
        ...paths.aiengine,
        dir: paths.aiengineState,
      },
    }),
    ...(queue ? { queue: { host: queueHost, port: queue.port, passwordFile: paths.queuePassword } } : {}),
  };
  return { file: `${JSON.stringify(content, null, 2)}\n`, serving: servingConfig.parse(content) };
}

/** What a host decides itself is passed over, whatever the settings say of it. */
function understood<S extends z.ZodType>(name: string, schema: S, settings: Record<string, unknown>): z.output<S> {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${name}.${path.join(".")}: ${message}`);
  throw new Error(["this payload does not understand the stack's settings", ...problems].join("\n"));
}
