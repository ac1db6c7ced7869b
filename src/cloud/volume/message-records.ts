import { randomUUID } from "node:crypto";
import { now } from "../clock/clock.ts";
import { isoSeconds } from "../http/time.ts";
import type { Collection, Store } from "../store/store.ts";

/** What Cinder tells a user of something that went wrong behind an answer. */
export interface UserMessage {
  id: string;
  projectId: string;
  eventId: string;
  text: string;
  resourceType: "VOLUME" | "VOLUME_SNAPSHOT" | "VOLUME_BACKUP";
  resourceId: string;
  requestId: string | null;
  createdAt: string;
}

export function messageTable(store: Store): Collection<UserMessage> {
  return store.collection("volume-message");
}

/** Numbers and words are those of cinder.message.message_field. */
const actions = {
  allocate: ["001", "schedule allocate volume"],
  upload: ["003", "copy volume to image"],
  download: ["005", "copy image to volume"],
  extend: ["007", "extend volume"],
  create: ["008", "create volume from backend storage"],
  snapshot: ["009", "create snapshot"],
  snapshotDelete: ["010", "delete snapshot"],
  backup: ["013", "create backup"],
  restore: ["015", "restore backup"],
} as const;
const details = {
  unknown: ["001", "An unknown error occurred."],
  noBackend: ["003", "Could not find any available weighted backend."],
  uploadFailed: ["004", "Failed to upload volume to image at backend."],
  noSpace: ["007", "Image used for creating volume exceeds available space."],
  extendFailed: ["010", "Volume Driver failed to extend volume."],
  createFailed: ["012", "Driver failed to create the volume."],
  snapshotFailed: ["013", "Snapshot failed to create."],
  snapshotDeleteFailed: ["016", "Snapshot failed to delete."],
  backupFailed: ["020", "Backup driver failed to create backup."],
  restoreFailed: ["026", "Backup driver failed to restore backup."],
} as const;

/** What is told: during what, and what happened. */
export interface Event {
  action: keyof typeof actions;
  detail: keyof typeof details;
}

/** A month, as Cinder's `message_ttl`. */
const lifetimeMs = 30 * 24 * 3_600_000;

/** Notes that something of the project went wrong, for `GET /messages`. Forgets what is too old. */
export function tell(
  messages: Collection<UserMessage>,
  about: Pick<UserMessage, "projectId" | "resourceType" | "resourceId">,
  { action, detail }: Event,
): void {
  for (const old of messages.list(({ createdAt }) => expiry(createdAt) < now())) messages.delete(old.id);
  const [[actionId, actionText], [detailId, detailText]] = [actions[action], details[detail]];
  messages.put({
    ...about,
    id: randomUUID(),
    eventId: `VOLUME_${about.resourceType}_${actionId}_${detailId}`,
    text: `${actionText}:${detailText}`,
    requestId: null,
    createdAt: isoSeconds(),
  });
}

/** When the message is forgotten, milliseconds since 1970. */
export const expiry = (createdAt: string): number => Date.parse(createdAt) + lifetimeMs;
