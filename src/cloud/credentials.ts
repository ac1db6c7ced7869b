import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Accounts } from "./identity/accounts.ts";
import { bootstrapIdentity, ensureAccount } from "./identity/bootstrap.ts";
import { newPassword } from "./identity/passwords.ts";
import type { Store } from "./store/store.ts";

/** A login to the cloud; project and user have the same name, both lie in the domain `Default`. */
export interface Login {
  username: string;
  password: string;
  projectName: string;
}

/** The cloud's two logins: its administrator, and the user that stacks are made by. */
export interface Credentials {
  admin: Login;
  demo: Login;
}

/**
 * The logins of this cloud, made with random passwords at its first start. They are written (0600) before the accounts are, so that a
 * start that was killed in between ends with the same passwords.
 */
export async function ensureCredentials(path: string, store: Store, accounts: Accounts): Promise<Credentials> {
  const login = (name: string): Login => ({ username: name, password: newPassword(), projectName: name });
  const text = await readTextIfExists(path);
  const credentials: Credentials =
    text === undefined ? { admin: login("admin"), demo: login("demo") } : (JSON.parse(text) as Credentials);
  if (text === undefined) await writeFileAtomic(path, `${JSON.stringify(credentials, null, 2)}\n`);
  store.transaction(() => {
    bootstrapIdentity(store, accounts);
    const { admin, demo } = credentials;
    ensureAccount(accounts, { name: admin.username, password: admin.password, role: "admin", inSystem: true });
    ensureAccount(accounts, { name: demo.username, password: demo.password, role: "member", inSystem: false });
  });
  return credentials;
}
