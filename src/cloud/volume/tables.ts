import type { Collection, Store } from "../store/store.ts";
import { type Backup, backupTable } from "./backup-records.ts";
import { type GroupTables, groupTables } from "./group-records.ts";
import { messageTable, type UserMessage } from "./message-records.ts";
import { type QosSpecs, qosTable } from "./qos-records.ts";
import { type QuotaLimits, quotaLimitTable } from "./quota-limits.ts";
import { type Snapshot, snapshotTable, type Volume, volumeTable } from "./records.ts";
import { type Transfer, transferTable } from "./transfer-records.ts";
import { type DefaultType, defaultTypeTable, typeTable, type VolumeType } from "./type-records.ts";

/** What Cinder keeps. */
export interface VolumeTables extends GroupTables {
  volumes: Collection<Volume>;
  snapshots: Collection<Snapshot>;
  backups: Collection<Backup>;
  types: Collection<VolumeType>;
  defaultTypes: Collection<DefaultType>;
  quotaLimits: Collection<QuotaLimits>;
  messages: Collection<UserMessage>;
  transfers: Collection<Transfer>;
  qos: Collection<QosSpecs>;
}

/** Cinder's part of the cloud's memory. */
export function volumeTables(store: Store): VolumeTables {
  return {
    ...groupTables(store),
    volumes: volumeTable(store),
    snapshots: snapshotTable(store),
    backups: backupTable(store),
    types: typeTable(store),
    defaultTypes: defaultTypeTable(store),
    quotaLimits: quotaLimitTable(store),
    messages: messageTable(store),
    transfers: transferTable(store),
    qos: qosTable(store),
  };
}
