import { expect, it } from "vitest";
import type { Context } from "../../src/engine/embedded/deployment/context.ts";
import { adoptInterrupted } from "../../src/engine/embedded/deployment/interrupted.ts";
import { Reporter } from "../../src/engine/embedded/deployment/reporter.ts";
import type { EngineProvider } from "../../src/engine/embedded/providers/engine-provider.ts";
import { Redactor } from "../../src/engine/embedded/secrets/redactor.ts";
import type { ResourceState } from "../../src/engine/embedded/state/resource-state.ts";
import { Snapshot } from "../../src/engine/embedded/state/snapshot.ts";
import { resourceState } from "./support/resource-state.ts";

type Found = { id: string; outputs: ResourceState["outputs"] };

const urn = "urn:pulumi:dev::test::openstack:networking/network:Network::net";
const made = resourceState(urn, { type: "openstack:networking/network:Network" });

it("of two who look for what an interrupted run made, only the first adopts it", async () => {
  const snapshot = new Snapshot({ resources: [], pending: [{ type: "creating", resource: made }], metadata: {} });
  const reporter = new Reporter(new Redactor(), { preview: false });
  const context = { snapshot, reporter } as Partial<Context> as Context;
  const answers = [Promise.withResolvers<Found>(), Promise.withResolvers<Found>()] as const;
  const looking = answers.map(({ promise }) => {
    const provider: Partial<EngineProvider> = { findInterrupted: () => promise, secretOutputs: () => [] };
    return adoptInterrupted(context, urn, { reference: "", provider: provider as EngineProvider });
  });
  answers[0].resolve({ id: "n-1", outputs: {} });
  await looking[0];
  const [adopted] = snapshot.resources();
  expect(adopted?.id).toBe("n-1");
  // its registration has replaced it by the time that the other one has its answer
  snapshot.put({ ...made, id: "n-2" }, adopted);
  answers[1].resolve({ id: "n-1", outputs: {} });
  await looking[1];
  expect(snapshot.resources().map(({ id }) => id)).toEqual(["n-2"]);
});
