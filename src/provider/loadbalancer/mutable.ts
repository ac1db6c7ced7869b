import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../common/errors.ts";
import { OpenStackError } from "../../openstack/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import type { Context } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";

/** First pause and longest pause between two tries, milliseconds. */
const pace = { first: 100, longest: 2000 };

/** What leads to the load balancer of an object: its own id, or the id of a listener or pool. */
export interface Way {
  loadbalancers?: string | undefined;
  listeners?: string | undefined;
  pools?: string | undefined;
}

/**
 * Makes a change as soon as the load balancer takes it: Octavia changes one thing of a load balancer at a time, and answers 409 to all
 * others meanwhile. Any other refusal is the caller's, other conflicts too.
 * @throws SlipwayError E_UPDATE_FAILED where the load balancer is in ERROR: then it never takes a change again
 */
export async function whenMutable<T>(context: Context, way: Way, change: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + context.timeoutMs;
  for (let pause = pace.first; ; pause = Math.min(pause * 1.5, pace.longest)) {
    try {
      return await change();
    } catch (error) {
      if (!isImmutable(error) || performance.now() + pause > deadline) throw error;
    }
    await refuseBroken(context, way);
    await sleep(pause, undefined, context.signal === undefined ? {} : { signal: context.signal });
  }
}

/** Octavia's two ways to say that a load balancer is busy. */
function isImmutable(error: unknown): boolean {
  if (!(error instanceof OpenStackError) || error.status !== 409) return false;
  return /is immutable|Invalid state PENDING_/.test(error.body);
}

async function refuseBroken(context: Context, way: Way): Promise<void> {
  const id = await loadBalancerOf(context, way);
  const found = id === undefined ? undefined : await showOctavia(context, `/loadbalancers/${id}`, "loadbalancer");
  if (found?.provisioning_status !== "ERROR") return;
  throw new SlipwayError(
    "E_UPDATE_FAILED",
    `the load balancer ${String(found.name)} (${id}) is in ERROR: it takes no change`,
    {
      hint: `Have the cloud's operators fail it over, or run \`openstack loadbalancer delete --cascade ${id}\`, then \`slipway refresh\` and the command again.`,
    },
  );
}

async function loadBalancerOf(context: Context, { loadbalancers, listeners, pools }: Way): Promise<string | undefined> {
  if (loadbalancers !== undefined) return loadbalancers;
  if (listeners === undefined && pools === undefined) return undefined;
  const parent =
    listeners === undefined
      ? await showOctavia(context, `/pools/${pools}`, "pool")
      : await showOctavia(context, `/listeners/${listeners}`, "listener");
  return firstId(parent?.loadbalancers);
}

/** An object of Octavia's; undefined where there is none, or no more. */
export async function showOctavia({ session }: Context, path: string, member: string): Promise<ApiObject | undefined> {
  const found = await orMissing(() =>
    session.request<Record<string, ApiObject>>("load-balancer", "GET", `/lbaas${path}`),
  );
  const api = found?.body[member];
  return api?.provisioning_status === "DELETED" ? undefined : api;
}

/** Octavia names an object's relatives as a list of ids. */
export function firstId(relatives: unknown): string | undefined {
  return (relatives as { id: string }[] | undefined)?.[0]?.id;
}
