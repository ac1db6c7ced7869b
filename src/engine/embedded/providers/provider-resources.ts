import { randomUUID } from "node:crypto";
import { diffInputs } from "../steps/decision.ts";
import { entry, type ValueMap } from "../values/value.ts";
import type { EngineProvider } from "./engine-provider.ts";

/** The key of a provider's inputs that is the engine's own. */
export const internalKey = "__internal";

/**
 * Provider resources as resources of a provider: what they configure checks and compares them (pulumi/pulumi, providers/registry.go).
 * Nothing is made in a cloud for them.
 * @param instanceOf the provider that a resource of this type and inputs configures
 */
export function providerOfProviders(
  instanceOf: (urn: string, type: string, inputs: ValueMap) => Promise<EngineProvider>,
): EngineProvider {
  return {
    configure: async () => undefined,
    async check(r, olds, news) {
      const instance = await instanceOf(r.urn, r.type, news);
      const answer = await instance.checkConfig?.(r, withoutInternal(olds), withoutInternal(news));
      if (answer === undefined) return { inputs: news, failures: [] };
      const own = [internalKey, "version", "pluginDownloadURL"].flatMap((key) => {
        const value = entry(news, key);
        return value === undefined ? [] : [[key, value] as const];
      });
      return { inputs: { ...answer.inputs, ...Object.fromEntries(own) }, failures: answer.failures };
    },
    async diff(r, _id, olds, oldInputs, news) {
      const instance = await instanceOf(r.urn, r.type, news);
      const given = withoutInternal(news);
      return (await instance.diffConfig?.(r, olds, withoutInternal(oldInputs), given)) ?? diffInputs(olds, given);
    },
    create: async (_r, inputs) => ({ id: randomUUID(), outputs: withoutInternal(inputs) }),
    update: async (_r, _id, _olds, _oldInputs, news) => withoutInternal(news),
    read: async (_r, id, outputs, inputs) => ({ id, outputs, inputs }),
    delete: async () => undefined,
    invoke: async (token) => {
      throw new Error(`${token} is no function of a provider resource`);
    },
    // What an interrupted run was making leaves nothing behind.
    findInterrupted: async () => undefined,
    secretOutputs: () => [],
    close: async () => undefined,
  };
}

/** A provider's inputs as providers see them. */
export function withoutInternal(inputs: ValueMap): ValueMap {
  const { [internalKey]: _, ...given } = inputs;
  return given;
}
