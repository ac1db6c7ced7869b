import type { Engine } from "../engine.ts";
import type { ProviderFactory } from "../resource-provider.ts";
import { outputs } from "./operations/outputs.ts";
import { verify } from "./operations/verify.ts";
import type { ProgramLauncher } from "./program/program.ts";
import { dropCheckpoint, stackPaths } from "./state/backend.ts";

/**
 * The engine that needs no Pulumi CLI: it runs unmodified Pulumi programs for Node against providers in this process, and keeps
 * their state as the CLI does, so that a stack can move between the two.
 * @param nodePath the Node that runs programs; this process's own unless told otherwise
 * @param launch runs the program in another way than as a process of Node
 */
export function createEmbeddedEngine({
  providers,
  nodePath = process.execPath,
  launch,
}: {
  providers: ProviderFactory;
  nodePath?: string;
  launch?: ProgramLauncher;
}): Engine {
  const setting = { providers, nodePath, ...(launch === undefined ? {} : { launch }) };
  return {
    kind: "embedded",
    preview: async (stack, options = {}) => (await running()).preview(setting, stack, options),
    up: async (stack, options = {}) => (await running()).up(setting, stack, options),
    destroy: async (stack, options = {}) => (await import("./operations/destroy.ts")).destroy(setting, stack, options),
    refresh: async (stack, options = {}) => (await import("./operations/refresh.ts")).refresh(setting, stack, options),
    importResources: async (stack, resources, options = {}) =>
      (await import("./operations/import-resources.ts")).importResources(setting, stack, resources, options),
    outputs,
    verify,
    forget: ({ backendUrl, project, stack }) => dropCheckpoint(stackPaths(backendUrl, project, stack)),
  };
}

/** gRPC takes a fifth of a second to load, and what else changes resources its time: only those who do that pay for it. */
const running = () => import("./operations/update.ts");
