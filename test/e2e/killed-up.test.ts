import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf } from "./openstack-http.ts";
import { type Kill, Slipway } from "./slipway.ts";

const skip = await whyNoGuests();
const detail = (text: string) => (line: { type?: string; text?: string }) =>
  line.type === "detail" && line.text?.includes(text) === true;

const moments: [string, Kill][] = [
  [
    "after the lock",
    { at: ({ type, phase, state }) => type === "phase" && phase === "authenticate" && state === "start" },
  ],
  [
    "after the server's POST",
    {
      at: ({ type, operation, resource, state }) =>
        type === "step" && operation === "create" && resource === "Instance" && state === "start",
      afterMs: 400,
    },
  ],
  ["during the bootstrap", { at: detail("step model began") }],
  ["after the verdict", { at: detail("the host passed its gate") }],
  [
    "during the association",
    { at: ({ type, phase, state }) => type === "phase" && phase === "attach" && state === "start", afterMs: 20 },
  ],
];

describe.skipIf(skip !== undefined)(
  `an \`up\` that was killed is finished by the next${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    let slipway: Slipway;
    beforeAll(async () => {
      slipway = await Slipway.create();
      expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true });
    });
    afterAll(async () => {
      expect(await slipway?.remove()).toEqual([]);
    });

    it.each(moments)("killed %s", async (_when, kill) => {
      const killed = await slipway.run(["up", "production"], { kill });
      expect(killed.signal).toBe("SIGKILL");
      const { result } = await slipway.run(["up", "production"]);
      expect(result, JSON.stringify(result)).toMatchObject({ ok: true });
      expect(await listOf(slipway, "compute", "servers")).toHaveLength(1);
      expect(await listOf(slipway, "network", "floatingips")).toHaveLength(1);
      expect((await slipway.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    });
  },
);
