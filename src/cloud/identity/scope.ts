/** An access rule of an application credential; see {@link isAllowed}. */
export interface AccessRuleView {
  id: string;
  service: string;
  path: string;
  method: string;
}

/** What a token tells of its application credential. */
export interface Delegation {
  id: string;
  name: string;
  /** May not manage others. */
  restricted: boolean;
  /** Undefined where every request is allowed. */
  accessRules?: AccessRuleView[];
}

/** Who a request comes from and what it may touch: the content of a token. Without project, domain and system it is unscoped. */
export interface Scope {
  userId: string;
  userName: string;
  project?: { id: string; name: string };
  domain?: { id: string; name: string };
  /** The cloud as a whole, which only Keystone knows here. */
  system?: true;
  roles: string[];
  /** The application credential that the token was got with. */
  applicationCredential?: Delegation;
}

/** Admins see and change everything in every project. */
export function isAdmin(scope: Scope): boolean {
  return scope.roles.includes("admin");
}

/** Whether the scope may see what belongs to `projectId`. */
export function owns(scope: Scope, projectId: string): boolean {
  return isAdmin(scope) || scope.project?.id === projectId;
}
