/** Who a request comes from and what it may touch: the content of a token. */
export interface Scope {
  userId: string;
  userName: string;
  /** Absent in an unscoped token. */
  project?: { id: string; name: string };
  roles: string[];
}

/** Admins see and change everything in every project. */
export function isAdmin(scope: Scope): boolean {
  return scope.roles.includes("admin");
}

/** Whether the scope may see what belongs to `projectId`. */
export function owns(scope: Scope, projectId: string): boolean {
  return isAdmin(scope) || scope.project?.id === projectId;
}
