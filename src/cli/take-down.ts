import { SlipwayError } from "../common/errors.ts";
import { keypairName, stackTag } from "../components/tags.ts";
import { findStackLeftovers } from "../release/leftovers.ts";
import { endMaintenance } from "../release/maintenance-address.ts";
import { unpublish } from "../release/publication.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { forgetStack } from "../release/stack-record.ts";
import { forgetHostKeys } from "../remote/known-hosts.ts";
import { possibleStores } from "./delivery.ts";
import { showEngine, summary } from "./engine-progress.ts";
import { knownHostsFile } from "./host-keys.ts";
import { shareLockWherePublished } from "./locked.ts";
import { refreshFirst } from "./options.ts";
import { detachAddress } from "./public-address.ts";
import { stackOutputs } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import { bindToCloud, type Workspace } from "./workspace.ts";

/**
 * Removes a stack: takes the address off, deletes the resources in order, withdraws the publication, and asks the cloud what is left.
 * A stack that is gone already is proven gone.
 * @throws SlipwayError E_LEFTOVERS listing what carries the stack's tag all the same
 */
export async function takeDown(
  workspace: Workspace,
  reporter: Reporter,
  { refresh, lock, signal }: { refresh?: boolean | undefined; lock: StackLock; signal: AbortSignal },
): Promise<void> {
  const { engine, reference, session, stack, stackHome } = workspace;
  const tag = stackTag(reference.project, stack);
  await reporter.phase("authenticate", `log in to ${workspace.cloud ?? session.authUrl}`, () => bindToCloud(workspace));
  await shareLockWherePublished(lock, workspace);
  const state = await engine.outputs(reference);
  const outputs = stackOutputs.safeParse(state).data;
  const addresses = outputs === undefined ? "floating IPs" : `floating IP ${outputs.floatingIp}`;
  await reporter.phase("detach", `${addresses} detached`, () => detachAddress(workspace, outputs));
  if (outputs !== undefined) await forgetHostKeys(knownHostsFile(workspace), outputs.serverId);
  await endMaintenance(session, tag);
  await reporter.phase("destroy", "resources", async ({ note }) => {
    // an `up` that ended before its first resource has published, and made no state
    if (state === undefined) return note("there is no state: nothing was made");
    const options = { onEvent: showEngine(reporter), signal };
    note(summary((await engine.destroy(reference, { ...options, ...refreshFirst(refresh) })).changes));
  });
  await reporter.phase("unpublish", "payload and models withdrawn", async () => {
    for (const store of await possibleStores(workspace)) await unpublish({ store, stack, home: stackHome });
  });
  const leftovers = await reporter.phase("prove", "nothing is left", async () => {
    const found = await findStackLeftovers(session, { tag, keypair: keypairName(tag) });
    if (found.length > 0) throw leftoversOf(stack, found);
    return found;
  });
  if (leftovers.length === 0) await forgetStack(stackHome);
}

function leftoversOf(stack: string, found: string[]): SlipwayError {
  return new SlipwayError("E_LEFTOVERS", `${found.length} things with the tag of ${stack} are left`, {
    details: found,
    hint: "Run `slipway down` again; what stays then, remove with the `openstack` client.",
  });
}
