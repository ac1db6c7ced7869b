import type { NetworkTables } from "./records.ts";

/** How many a project may have; below zero: as many as it likes. */
export function limitOf(tables: NetworkTables, projectId: string, resource: string, usual: number): number {
  return tables.quotas.get(projectId)?.limits[resource] ?? usual;
}
