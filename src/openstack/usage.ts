import { orMissing } from "./missing.ts";
import type { Session } from "./session.ts";

/** Nova's names of what matters to a stack, by the word for people. */
const computeLimits = { instances: "Instances", cores: "Cores", "memory MiB": "RAM" } as const;
const networkLimits = { "floating IPs": "floatingip", networks: "network", routers: "router", ports: "port" } as const;

/** One of a project's quotas. */
export interface Quota {
  /** `cores`, `ports`, … */
  word: string;
  used: number;
  /** There is one: what is not limited is not told. */
  limit: number;
}

/** What the project uses of what it may use, a line each: `cores: 18 of 20 used`. */
export async function quotaUsage(session: Session): Promise<string[]> {
  return (await projectQuotas(session)).map(({ word, used, limit }) => `${word}: ${used} of ${limit} used`);
}

/** The project's quotas that matter to a stack. */
export async function projectQuotas(session: Session): Promise<Quota[]> {
  const details = `/quotas/${await session.projectId()}/details.json`;
  const [compute, network] = await Promise.all([
    session.request<{ limits: { absolute: Record<string, number> } }>("compute", "GET", "/limits"),
    // an extension that not every cloud has
    orMissing(() =>
      session.request<{ quota: Record<string, { limit: number; used: number }> }>("network", "GET", details),
    ),
  ]);
  const { absolute } = compute.body.limits;
  const quota = network?.body.quota ?? {};
  const ofCompute = Object.entries(computeLimits).map(([word, name]) => {
    const limit = absolute[`maxTotal${name}${name === "RAM" ? "Size" : ""}`];
    return quotaOf(word, absolute[`total${name}Used`], limit);
  });
  const ofNetwork = Object.entries(networkLimits).map(([word, name]) =>
    quotaOf(word, quota[name]?.used, quota[name]?.limit),
  );
  return [...ofCompute, ...ofNetwork].flatMap((one) => one ?? []);
}

/** A limit of -1 is none. */
function quotaOf(word: string, used: number | undefined, limit: number | undefined): Quota | undefined {
  return used === undefined || limit === undefined || limit < 0 ? undefined : { word, used, limit };
}
