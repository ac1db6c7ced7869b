import { stackTag } from "../components/tags.ts";
import type { StackAddress } from "../release/address-claim.ts";
import { endMaintenance } from "../release/maintenance-address.ts";
import { ensureAttached, ensureDetached, findAttached } from "../release/stack-address.ts";
import { recordStandIn } from "../release/stack-record.ts";
import { type StackOutputs, withAddress } from "./stack-outputs.ts";
import type { Workspace } from "./workspace.ts";

/** A stack with the address that leads to it. */
interface Reachable {
  outputs: StackOutputs;
  /** Takes the address off again, where this run attached it. */
  giveBack(): Promise<void>;
}

/** The address that leads to the stack's host now; undefined where none does. */
export async function attachedAddress(workspace: Workspace, outputs: StackOutputs): Promise<string | undefined> {
  return (await findAttached(workspace.session, addressOf(workspace, outputs)))?.floating_ip_address;
}

/**
 * Makes an address lead to the stack's host, and remembers it where it is not the program's own.
 * @throws SlipwayError as {@link ensureAttached}
 */
export async function attachAddress(
  workspace: Workspace,
  outputs: StackOutputs,
  { note, ...options }: { reuse?: boolean; signal: AbortSignal; note: (line: string) => void },
): Promise<Reachable> {
  const { session, stackHome } = workspace;
  const stack = { ...addressOf(workspace, outputs), serverId: outputs.serverId };
  // a run that was killed may have left one on the port, which would be in the way
  await endMaintenance(session, stack.tag);
  const { address, how, giveBack } = await ensureAttached(session, stack, options);
  const { floating_ip_address } = address;
  if (how !== "own") {
    const origin = { kept: "an earlier run took", reused: "was free in the project", allocated: "is new" }[how];
    note(`${floating_ip_address}, which ${origin}, stands in for the stack's own floating IP`);
  }
  await recordStandIn(stackHome, how === "own" ? undefined : floating_ip_address);
  return {
    outputs: withAddress(outputs, floating_ip_address),
    async giveBack() {
      await giveBack();
      if (how !== "own" && how !== "kept") await recordStandIn(stackHome, undefined);
    },
  };
}

/**
 * Takes the address off the stack's host.
 * @param outputs undefined where the program's state is gone: a stand-in may have outlived it
 * @returns the addresses that led to it
 */
export async function detachAddress(workspace: Workspace, outputs: StackOutputs | undefined): Promise<string[]> {
  const taken = await ensureDetached(workspace.session, { tag: tagOf(workspace), ownId: outputs?.floatingIpId });
  await recordStandIn(workspace.stackHome, undefined);
  return taken.map(({ floating_ip_address }) => floating_ip_address);
}

function addressOf(workspace: Workspace, { floatingIpId, portId }: StackOutputs): StackAddress {
  const { externalNetwork } = workspace.config;
  return { tag: tagOf(workspace), ownId: floatingIpId, portId, externalNetwork };
}

function tagOf({ reference, stack }: Workspace): string {
  return stackTag(reference.project, stack);
}
