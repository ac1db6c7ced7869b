import { ApiError } from "../http/api-error.ts";

/** Nova's refusals in its own words. */
export const nova = {
  forbidden: (policy: string) => new ApiError(403, `Policy doesn't allow ${policy} to be performed.`),
  adminsOnly: (message: string) => new ApiError(403, message),
  badRequest: (message: string) => new ApiError(400, message),
  serverNotFound: (id: string) => new ApiError(404, `Instance ${id} could not be found.`),
  flavorNotFound: (id: string) => new ApiError(404, `Flavor ${id} could not be found.`),
  keypairNotFound: (name: string, userId: string) => new ApiError(404, `Keypair ${name} not found for user ${userId}`),
  keypairExists: (name: string) => new ApiError(409, `Key pair '${name}' already exists.`),
  wrongState: (action: string, id: string, state: string, attribute = "vm_state") =>
    new ApiError(409, `Cannot '${action}' instance ${id} while it is in ${attribute} ${state}`),
  noSuchAction: (name: string) => new ApiError(400, `There is no such action: ${name}`),
  notFound: () => new ApiError(404, "The resource could not be found."),
  missing: (message: string) => new ApiError(404, message),
  /** What Nova's API did not expect. @param kind Python's class */
  unexpected: (kind: string) =>
    new ApiError(
      500,
      `Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.\n<class '${kind}'>`,
    ),
  extraSpecNotFound: (flavor: string, key: string) =>
    new ApiError(404, `Flavor ${flavor} has no extra specs with key ${key}.`),
  tooManyDisks: (maximum: number) =>
    new ApiError(
      403,
      `The maximum allowed number of disk devices (${maximum}) to attach to a single instance has been exceeded.`,
    ),
  quota: (resource: string, requested: number, used: number, limit: number) =>
    new ApiError(
      403,
      `Quota exceeded for ${resource}: Requested ${requested}, but already used ${used} of ${limit} ${resource}`,
    ),
};
