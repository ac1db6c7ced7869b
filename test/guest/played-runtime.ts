import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { Digest } from "../../src/common/digest.ts";
import { SlipwayError } from "../../src/common/errors.ts";
import type { GuestPaths } from "../../src/guest/paths.ts";
import { runtimeSocket } from "../../src/serving/config.ts";
import { loadedVersions } from "../../src/serving/models/registry.ts";
import { modelFolder, readRegistry } from "../../src/serving/models/registry-file.ts";
import { ModelSet } from "../../src/serving/runtime/model-set.ts";
import { type RuntimeServer, serveRuntime } from "../../src/serving/runtime/server.ts";
import { binaryCard } from "../serving/cards.ts";

const log = pino({ enabled: false });

/** A host's first runtime in the test's own process: a model file that holds `{"output", "torn"?}` answers that, or does not load. */
export async function playRuntime(
  paths: GuestPaths,
  onServe: (served: { model: string; output: number }) => void,
): Promise<{ restart: () => Promise<void> }> {
  let server: RuntimeServer | undefined;
  onTestFinished(() => server?.close());
  const contentOf = (digest: Digest) =>
    JSON.parse(readFileSync(join(modelFolder(paths.models, digest), "model.onnx"), "utf8"));
  const restart = async () => {
    await server?.close();
    const models = new ModelSet({
      load: async ({ digest }) => {
        if (contentOf(digest).torn) throw new SlipwayError("E_MODEL_INVALID", "the model is torn");
        const card = binaryCard(1);
        const unused = async () => [];
        return { card, ...card, run: unused, close: async () => undefined, provider: "cpu", runtimeVersion: "none" };
      },
      limits: () => ({ batchRows: 1, queueRows: 1 }),
      log,
    });
    let served: Digest | undefined;
    const sync = async () => {
      const result = await models.sync(loadedVersions(await readRegistry(paths.models)));
      const digest = models.models[0]?.model.digest;
      if (digest !== undefined && digest !== served) onServe({ model: digest, output: contentOf(digest).output });
      served = digest;
      return result;
    };
    await sync();
    mkdirSync(paths.runtimeDir, { recursive: true });
    const socket = runtimeSocket(paths, "default", 0);
    const hello = { id: "0", group: "default", onnxruntime: "none", provider: "cpu", batchRows: 1 } as const;
    server = await serveRuntime({ socket, hello, models, sync, log });
  };
  return { restart };
}
