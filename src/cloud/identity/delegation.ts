import { accessRuleView } from "./access-rules.ts";
import type { AccessRule, Accounts, ApplicationCredential } from "./accounts.ts";
import type { Delegation } from "./scope.ts";

/** The rules that restrict it; undefined where none do. */
export function accessRulesOf(accounts: Accounts, credential: ApplicationCredential): AccessRule[] | undefined {
  const rules = credential.accessRuleIds.flatMap((id) => accounts.accessRules.get(id) ?? []);
  return rules.length === 0 ? undefined : rules;
}

/** What a token tells of the credential that got it. */
export function delegationOf(accounts: Accounts, credential: ApplicationCredential): Delegation {
  const accessRules = accessRulesOf(accounts, credential)?.map(accessRuleView);
  const { id, name, unrestricted } = credential;
  return { id, name, restricted: unrestricted !== true, ...(accessRules === undefined ? {} : { accessRules }) };
}
