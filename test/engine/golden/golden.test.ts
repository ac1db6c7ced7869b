import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Difference, differencesBetween, formatDifference } from "./difference.ts";
import { Lab } from "./lab.ts";
import { orderProblems } from "./order.ts";
import { loadRecording, type RecordedRun, recordings } from "./recording.ts";
import { withSymbols } from "./symbols.ts";
import { wanted } from "./wanted.ts";

// each run starts a Node that loads Pulumi's SDK: seconds where the machine is busy
vi.setConfig({ testTimeout: 90_000 });

/** What was done in the lab before a run and not recorded. */
const notRecorded: Record<string, (lab: Lab, run: RecordedRun) => Promise<unknown>> = {
  // the state that the run began with was made by the same program
  "x1-drift-409": (lab, run) => lab.run(run),
  // a server was renamed and given a property, a rule was deleted; the state was refreshed and the program run again
  "b6-preview-update": async (lab, run) => {
    await lab.changeBehindTheBack("Instance::wide", (session, id) =>
      session.request("compute", "PUT", `/servers/${id}`, { body: { server: { name: "renamed" } } }),
    );
    await lab.changeBehindTheBack("Instance::wide", (session, id) =>
      session.request("compute", "POST", `/servers/${id}/metadata`, { body: { metadata: { surprise: "1" } } }),
    );
    await lab.changeBehindTheBack("SecGroupRule::tcp-443", (session, id) =>
      session.request("network", "DELETE", `/security-group-rules/${id}`),
    );
    const asBefore = { ...run, config: { ...run.config, "wide:step": "1" } };
    await lab.run({ ...asBefore, args: "refresh" });
    await lab.run({ ...asBefore, args: "up" });
  },
  // the network was another stack's
  "c6-import": (lab) =>
    lab.standIn("07871463-f927-47eb-88ca-c8286eafb9f3", "network wide-c9352b9", async (session) => {
      const { body } = await session.request<{ network: { id: string } }>("network", "POST", "/networks", {
        body: { network: { name: "wide-c9352b9", description: "two" } },
      });
      const { id } = body.network;
      await session.request("network", "PUT", `/networks/${id}/tags`, { body: { tags: ["b", "c"] } });
      return id;
    }),
  // the policy was changed, which replaced the group and the servers
  "c7-destroy-targeted": (lab, run) => lab.run({ ...run, args: "up" }),
};

/**
 * Programs that the official engine ran against a real OpenStack, run again by the embedded engine against the embedded cloud: the same
 * steps, the same calls and an equal checkpoint, but for the differences that are listed in wanted.ts. Runs follow one another.
 */
describe.each([
  ["@pulumi/pulumi of the recordings", "pulumi-sdk-recorded"],
  ["the project's own @pulumi/pulumi", "@pulumi/pulumi"],
])("%s", (_, sdk) => {
  describe.each(recordings)("%s", (name) => {
    const recording = loadRecording(name);
    const found: Difference[] = [];
    let lab: Lab;
    let recordedBefore = recording.before;
    beforeAll(async () => {
      lab = await Lab.of(recording, sdk);
    });
    afterAll(() => lab.close());

    test.each(recording.runs)("$name", async (run) => {
      await notRecorded[run.name]?.(lab, run);
      recordedBefore = run.before ?? recordedBefore;
      const ourBefore = await lab.resources();
      const ours = await lab.run(run);
      const differences = differencesBetween(
        run.name,
        withSymbols(run, recordedBefore, recording.known, run.program),
        withSymbols(ours, ourBefore, lab.known, run.program),
      );
      recordedBefore = run.resources;
      found.push(...differences);
      const unwanted = differences.filter((difference) => !wanted.some((one) => one.covers(difference)));
      const disorder = run.args.startsWith("refresh") ? [] : orderProblems(ours.steps, ourBefore, ours.resources);
      expect([...unwanted.map(formatDifference), ...disorder, ...(unwanted.length > 0 ? ours.errors : [])]).toEqual([]);
    });

    const endsEmpty = recording.runs.at(-1)?.resources.every(({ type }) => !type.startsWith("openstack:"));
    test.skipIf(endsEmpty !== true)("nothing is left in the cloud", async () => {
      expect(await lab.leftovers()).toEqual([]);
    });

    test("each wanted difference occurs", () => {
      const here = wanted.filter((one) => one.in.includes(name));
      expect(here.filter((one) => !found.some((difference) => one.covers(difference)))).toEqual([]);
      const elsewhere = wanted.filter((one) => !one.in.includes(name));
      expect(elsewhere.filter((one) => found.some((difference) => one.covers(difference)))).toEqual([]);
    });
  });
});
