import type { Engine } from "../engine.ts";
import type { ProviderFactory } from "../resource-provider.ts";
import { destroy } from "./operations/destroy.ts";
import { importResources } from "./operations/import-resources.ts";
import { outputs } from "./operations/outputs.ts";
import { refresh } from "./operations/refresh.ts";
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
    destroy: (stack, options = {}) => destroy(setting, stack, options),
    refresh: (stack, options = {}) => refresh(setting, stack, options),
    importResources: (stack, resources, options = {}) => importResources(setting, stack, resources, options),
    outputs,
    verify,
    forget: ({ backendUrl, project, stack }) => dropCheckpoint(stackPaths(backendUrl, project, stack)),
  };
}

/** gRPC takes a fifth of a second to load: only those who run a program pay for it. */
const running = () => import("./operations/update.ts");
