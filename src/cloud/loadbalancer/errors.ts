import { ApiError } from "../http/api-error.ts";

/** Octavia's refusals, in its words. */
export const octavia = {
  notFound: (resource: string, id: string) => new ApiError(404, `${resource} ${id} not found.`),
  /** Something that a request names. */
  invalidSubresource: (resource: string, id: string) => new ApiError(400, `${resource} ${id} not found.`),
  forbidden: () => new ApiError(403, "Policy does not allow this request to be performed."),
  overQuota: (resource: string) => new ApiError(403, `Quota has been met for resources: ${resource}`),
  invalid: (detail: string) => new ApiError(400, `Validation failure: ${detail}`),
  invalidOption: (value: unknown, option: string) => new ApiError(400, `${value} is not a valid option for ${option}`),
  disabled: (option: string, value: string) =>
    new ApiError(400, `The selected ${option} is not allowed in this deployment: ${value}`),
  /** A child of a balancer that is being changed. */
  immutable: (resource: string, id: string) =>
    new ApiError(409, `${resource} ${id} is immutable and cannot be updated.`),
  /** The balancer itself. */
  pending: (state: string, id: string) => new ApiError(409, `Invalid state ${state} of loadbalancer resource ${id}`),
  duplicateListener: (protocol: string, port: number) =>
    new ApiError(
      409,
      `Another Listener on this Load Balancer is already using protocol ${protocol} and protocol_port ${port}`,
    ),
  duplicateMember: (address: string, port: number) =>
    new ApiError(409, `Another member on this pool is already using ip ${address} on protocol_port ${port}`),
  duplicateMonitor: () => new ApiError(409, "This pool already has a health monitor"),
  duplicatePool: () => new ApiError(409, "This listener already has a default pool"),
  providerNotEnabled: (name: string) => new ApiError(400, `Provider '${name}' is not enabled.`),
  providerFailed: (detail: string) => new ApiError(500, `Provider 'amphora' reports error: ${detail}`),
  unsupported: (what: string) => new ApiError(501, `Provider 'amphora' does not support a requested option: ${what}`),
  unsupportedAction: (what: string) =>
    new ApiError(501, `Provider 'amphora' does not support a requested action: ${what}`),
  filter: () => new ApiError(400, "One or more arguments are either duplicate or invalid"),
  sortKey: (key: string) => new ApiError(400, `Supplied sort key '${key}' is not valid.`),
  sortDirection: (key: string) => new ApiError(400, `Supplied sort direction '${key}' is not valid.`),
  marker: (key: string) => new ApiError(400, `Supplied pagination marker '${key}' is not valid.`),
  limit: (key: string) => new ApiError(400, `Supplied pagination limit '${key}' is not valid.`),
};
