/** What a caller may do; each role may all that those before it may. */
export const roles = ["read", "predict", "deploy", "admin"] as const;

/** `read`: look at models, jobs and figures. `predict`: have something computed. `deploy`: change what serves. `admin`: everything. */
export type Role = (typeof roles)[number];

/** Who asks. */
export interface Caller {
  /** The token's name; "anyone" on a host without tokens. */
  name: string;
  role: Role;
}

/** Everybody, on a host without tokens: what changes something is refused there. */
export const anyone: Caller = { name: "anyone", role: "predict" };

/** True where this role may what that one may. */
export function mayAct(held: Role, needed: Role): boolean {
  return roles.indexOf(held) >= roles.indexOf(needed);
}
