import { isoSeconds } from "../http/time.ts";
import type { Scope } from "../identity/scope.ts";
import type { Collection, Store } from "../store/store.ts";

/** Something that was asked for with a server: what Nova lists below `os-instance-actions`. */
export interface InstanceAction {
  /** Nova's name for it: `stop`. */
  action: string;
  requestId: string;
  userId: string;
  projectId: string;
  startTime: string;
  /** Null while it is being done. */
  finishTime: string | null;
  /** What went wrong; null where nothing did. */
  failure: string | null;
}

/** All that was done with one server, the oldest first. */
export interface ServerActions {
  /** The server's id. */
  id: string;
  actions: InstanceAction[];
}

/** A server's actions are kept in one record; of one that lives for long the oldest go. */
const kept = 500;

export function actionTable(store: Store): Collection<ServerActions> {
  return store.collection("server-actions");
}

/** Who asks. */
export interface Asker {
  scope: Scope;
  requestId: string;
}

/** Notes that something is asked for. Inside the transaction that promises it. */
export function startAction(table: Collection<ServerActions>, serverId: string, asker: Asker, action: string): void {
  const { scope, requestId } = asker;
  const actions = table.get(serverId)?.actions ?? [];
  const projectId = scope.project?.id ?? "";
  const started = { action, requestId, userId: scope.userId, projectId, startTime: isoSeconds() };
  table.put({ id: serverId, actions: [...actions, { ...started, finishTime: null, failure: null }].slice(-kept) });
}

/** Notes that what was asked for first of all that is not done yet is done. */
export function finishAction(table: Collection<ServerActions>, serverId: string, failure: string | null = null): void {
  const actions = table.get(serverId)?.actions;
  const at = actions?.findIndex(({ finishTime }) => finishTime === null) ?? -1;
  const found = actions?.[at];
  if (actions === undefined || found === undefined) return;
  table.put({ id: serverId, actions: actions.with(at, { ...found, finishTime: isoSeconds(), failure }) });
}

/** Something that is done at once. */
export function noteAction(table: Collection<ServerActions>, serverId: string, asker: Asker, action: string): void {
  startAction(table, serverId, asker, action);
  const actions = table.get(serverId)?.actions ?? [];
  const last = actions.at(-1);
  if (last === undefined) return;
  table.put({ id: serverId, actions: actions.with(-1, { ...last, finishTime: last.startTime }) });
}

/** The steps that Nova takes for an action, as it names them; `compute_<name>_instance` for the rest. */
const eventNames: Record<string, string[]> = {
  create: ["compute__do_build_and_run_instance"],
  delete: ["compute_terminate_instance"],
  lock: ["api_lock"],
  unlock: ["api_unlock"],
  resetState: [],
  changePassword: ["compute_set_admin_password"],
  createImage: ["compute_snapshot_instance"],
  createBackup: ["compute_backup_instance"],
  rebuild: ["rebuild_server", "compute_rebuild_instance"],
  resize: ["cold_migrate", "compute_prep_resize", "compute_resize_instance", "compute_finish_resize"],
  migrate: ["cold_migrate"],
  "live-migration": ["conductor_migrate_server"],
  confirmResize: ["compute_confirm_resize"],
  revertResize: ["compute_revert_resize", "compute_finish_revert_resize"],
  unshelve: ["get_image_info", "schedule_instances", "compute_unshelve_instance"],
  attach_volume: ["compute_attach_volume"],
  detach_volume: ["compute_detach_volume"],
  attach_interface: ["compute_attach_interface"],
  detach_interface: ["compute_detach_interface"],
  trigger_crash_dump: ["compute_trigger_crash_dump"],
};

/** The events of an action; the first alone where it is under way or failed. */
export function eventsOf({ action, finishTime, failure }: InstanceAction): string[] {
  const names = eventNames[action] ?? [`compute_${action}_instance`];
  return finishTime === null || failure !== null ? names.slice(0, 1) : names;
}
