/**
 * A refusal in the words of the service that refuses. Each service gives it the body that its clients know: Nova
 * `{itemNotFound: {code, message}}`, Neutron `{NeutronError: {type, message, detail}}`, Keystone `{error: {code, message, title}}`.
 */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** Neutron's exception class; the other services have none. */
  readonly type: string;
  /** What Keystone's error body tells besides. */
  readonly extra: Record<string, unknown>;

  constructor(status: number, message: string, type = "", extra: Record<string, unknown> = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.extra = extra;
  }
}

/** Keystone's own words for a login or a token that does not count; deliberately the same for every cause. */
export function unauthorized(): ApiError {
  return new ApiError(401, "The request you have made requires authentication.");
}

/** Where a policy forbids what a valid token asks. */
export function forbidden(action: string): ApiError {
  return new ApiError(403, `You are not authorized to perform the requested action: ${action}.`);
}
