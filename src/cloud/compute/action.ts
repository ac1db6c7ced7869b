import type { FastifyReply } from "fastify";
import type { Scope } from "../identity/scope.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Server, TaskState, VmState } from "./records.ts";

/** One `POST /servers/{id}/action`. */
export interface Action {
  context: ComputeContext;
  scope: Scope;
  server: Server;
  argument: unknown;
  /** Minor. */
  microversion: number;
  /** The server as the request sees it. */
  view: (server: Server) => unknown;
  reply: FastifyReply;
}

/** @throws ApiError 409 while something is being done with the server, or in a state that the action does not fit */
export function demandState(server: Server, action: string, allowed: VmState[]): void {
  if (server.taskState !== null) throw nova.wrongState(action, server.id, server.taskState, "task_state");
  if (!allowed.includes(server.vmState)) throw nova.wrongState(action, server.id, server.vmState);
}

/** Notes what is being done with a server from now on. */
export function begin({ servers }: ComputeContext, server: Server, taskState: TaskState): void {
  servers.patch(server.id, { taskState });
}
