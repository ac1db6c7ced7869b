import { type Container, figuresOf, type ObjectTables } from "./records.ts";
import { bareRefusal } from "./refusals.ts";

// Swift's container and account quotas: metadata that says how much there may be.

/** @throws ApiError 413 where an upload of so many bytes is too much for the container or the account */
export function demandObjectQuota(tables: ObjectTables, container: Container, bytes: number): void {
  const refuse = () => bareRefusal(413, "Upload exceeds quota.");
  const { "quota-bytes": most, "quota-count": count } = container.metadata;
  const own = figuresOf(tables, container);
  if (most !== undefined && /^\d+$/.test(most) && own.bytes + bytes > Number(most)) throw refuse();
  if (count !== undefined && /^\d+$/.test(count) && own.count + 1 > Number(count)) throw refuse();
  const account = tables.accounts.get(container.projectId)?.metadata["quota-bytes"];
  if (account === undefined || !/^\d+$/.test(account)) return;
  const used = tables.containers
    .list(({ projectId }) => projectId === container.projectId)
    .reduce((sum, one) => sum + figuresOf(tables, one).bytes, 0);
  if (used + bytes > Number(account)) throw refuse();
}

/** @throws ApiError 400 in Swift's words for quotas that are no numbers */
export function demandQuotaNumbers({ "quota-bytes": bytes, "quota-count": count }: Record<string, string>): void {
  if (bytes && !/^\d+$/.test(bytes)) throw bareRefusal(400, "Invalid bytes quota.");
  if (count && !/^\d+$/.test(count)) throw bareRefusal(400, "Invalid count quota.");
}
