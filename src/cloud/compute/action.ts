import type { FastifyReply } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { actionTable, noteAction, startAction } from "./instance-actions.ts";
import type { Server, TaskState, VmState } from "./records.ts";
import { isPlaced } from "./server-status.ts";

/** One `POST /servers/{id}/action`. */
export interface Action {
  context: ComputeContext;
  scope: Scope;
  server: Server;
  /** The whole body: Nova's schemas describe it with the action's name as its one key. */
  body: unknown;
  /** Minor. */
  microversion: number;
  requestId: string;
  /** The server as the answer to a rebuild shows it. */
  view: (server: Server) => Record<string, unknown>;
  reply: FastifyReply;
}

type Handler = (action: Action) => unknown;

/** Actions by name. */
export type Actions = Record<string, Handler>;

/** What an action asks of a server's state. */
export interface Demand {
  /** Absent: any. */
  states?: readonly VmState[];
  /** The service on the server's host is asked: there has to be one. */
  onHost?: boolean;
  /** True: also while something else is being done. */
  whileBusy?: boolean;
}

/** @throws ApiError 409 for a locked server, unless an administrator asks */
export function demandUnlocked({ id, lockedBy }: Server, scope: Scope): void {
  if (lockedBy && !isAdmin(scope)) throw new ApiError(409, `Instance ${id} is locked`);
}

/** @throws ApiError 409 while something is being done with the server, or in a state that the action does not fit */
export function demandState(server: Server, name: string, { states, onHost, whileBusy }: Demand): void {
  if (onHost && !isPlaced(server)) throw new ApiError(409, `Instance ${server.id} is not ready`);
  if (states !== undefined && !states.includes(server.vmState)) throw nova.wrongState(name, server.id, server.vmState);
  if (!whileBusy && server.taskState !== null) {
    throw nova.wrongState(name, server.id, server.taskState, "task_state");
  }
  if (states !== undefined && server.launchedAt === null) {
    throw new ApiError(409, `Instance ${server.id} is in an invalid state for '${name}'`);
  }
}

/** Both of the above, as most actions need them. */
export function demand(action: Pick<Action, "server" | "scope">, name: string, rule: Demand): void {
  demandUnlocked(action.server, action.scope);
  demandState(action.server, name, rule);
}

/** Promises something: what is being done with the server from now on, and that it was asked for, are kept in one step. */
export function begin(
  { context, scope, requestId, server }: Action,
  name: string,
  taskState: TaskState,
  change: Partial<Server> = {},
): void {
  context.store.transaction(() => {
    startAction(actionTable(context.store), server.id, { scope, requestId }, name);
    context.servers.patch(server.id, { ...change, taskState });
  });
}

/** Keeps a change that is in effect at once, and that it was asked for. */
export function changeAtOnce(
  { context, scope, requestId, server }: Action,
  name: string,
  change: Partial<Server> = {},
): void {
  context.store.transaction(() => {
    noteAction(actionTable(context.store), server.id, { scope, requestId }, name);
    context.servers.patch(server.id, change);
  });
}

/** Nova's answer to most actions. */
export function accepted({ reply }: Action) {
  return reply.code(202).send();
}

/** @throws ApiError 403 for all but administrators */
export function demandAdmin(scope: Scope, policy: string): void {
  if (!isAdmin(scope)) throw nova.forbidden(policy);
}
