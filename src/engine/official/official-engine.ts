import type { OutputMap, Stack } from "@pulumi/pulumi/automation/index.js";
import { outputs } from "../embedded/operations/outputs.ts";
import { verify } from "../embedded/operations/verify.ts";
import { dropCheckpoint, stackPaths } from "../embedded/state/backend.ts";
import type { Engine, RefreshOptions } from "../engine.ts";
import { type RequiredPlugin, requireInstallation } from "./find.ts";
import { importVerb } from "./import-verb.ts";
import { runOperation, type Verb } from "./operation.ts";

/**
 * Pulumi's own engine, driven through its Automation API: the `pulumi` CLI of this machine with its plugins. The state is the same
 * as the embedded engine's, so what only reads it is shared with that one.
 * @param plugins what the programs need; looked for before anything is started
 * @param nodePath the Node that runs programs; this process's own unless told otherwise
 */
export function createOfficialEngine({
  plugins = [],
  nodePath = process.execPath,
}: {
  plugins?: readonly RequiredPlugin[];
  nodePath?: string;
} = {}): Engine {
  const setting = { plugins, nodePath };
  return {
    kind: "official",
    preview: (stack, options = {}) => runOperation(setting, stack, options, preview),
    up: (stack, options = {}) => runOperation(setting, stack, options, up),
    destroy: (stack, options = {}) => runOperation(setting, stack, options, destroy),
    refresh: async (stack, options = {}) => {
      const result = await runOperation(setting, stack, options, refresh(options));
      return { ...result, outputs: (await outputs(stack)) ?? {} };
    },
    importResources: async (stack, resources, options = {}) => {
      const importing = importVerb(resources, options);
      const result = await runOperation(setting, stack, options, importing);
      return { ...result, outputs: (await outputs(stack)) ?? {}, program: importing.program };
    },
    outputs,
    verify: async (stack) => {
      await requireInstallation(plugins);
      await verify(stack);
    },
    forget: ({ backendUrl, project, stack }) => dropCheckpoint(stackPaths(backendUrl, project, stack)),
  };
}

const preview: Verb = {
  changes: false,
  needsState: false,
  run: async (stack, options) => {
    await stack.preview(options);
    return undefined;
  },
};

const up: Verb = {
  changes: true,
  needsState: false,
  run: async (stack: Stack, options) => plain((await stack.up({ ...options, showSecrets: false })).outputs),
};

const destroy: Verb = {
  changes: true,
  needsState: true,
  run: async (stack, options) => {
    await stack.destroy({ ...options, showSecrets: false });
    return {};
  },
};

function refresh({ previewOnly = false, clearPendingCreates = false }: RefreshOptions): Verb {
  return {
    changes: !previewOnly,
    needsState: true,
    run: async (stack, options) => {
      await stack.refresh({ ...options, showSecrets: false, previewOnly, clearPendingCreates });
      return {};
    },
  };
}

function plain(outputs: OutputMap): Record<string, unknown> {
  return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value]));
}
