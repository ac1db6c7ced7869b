import { SlipwayError } from "../common/errors.ts";
import { OpenStackError, refusedByCloud } from "../openstack/errors.ts";
import type { Session } from "../openstack/session.ts";
import { quotaUsage } from "../openstack/usage.ts";

/** The words of Nova's and Neutron's quotas, and of a scheduler that finds no host. */
const LACK = /quota|No valid host|Exhausted all hosts/i;

/** Runs a verb's work; where the cloud had no room for it, the failure also tells what the project uses of its quotas. */
export async function withUsageIfFull<T>(session: Session, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure = error instanceof OpenStackError ? refusedByCloud(error) : error;
    if (failure instanceof SlipwayError && LACK.test(failure.message)) {
      failure.details.push(...(await quotaUsage(session).catch(() => []))); // the failure itself says more than this one
    }
    throw failure;
  }
}
