import { Client } from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectTo } from "../support/tcp.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf, logIn, postJson } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();

/** Ledger P16, P17, P21: what goes wrong inside a guest, with real cloud-init. */
describe.skipIf(skip !== undefined)(
  `guests in which something goes wrong${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    let slipway: Slipway;
    const arm = async (fault: string, ...more: string[]) =>
      expect((await slipway.run(["cloud", "arm", fault, ...more])).result).toMatchObject({ ok: true });
    const down = async () => {
      expect((await slipway.run(["cloud", "disarm"])).result).toMatchObject({ ok: true });
      expect((await slipway.run(["down", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    };
    beforeAll(async () => {
      slipway = await Slipway.create();
      expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true });
    });
    afterAll(async () => {
      expect(await slipway?.remove()).toEqual([]);
    });

    it("P16, P17, P21: a package that does not install and an unknown key do not matter; SSH comes late; its key changes at a reboot", async () => {
      await arm("apt-fails");
      await arm("unknown-key");
      await arm("ssh-late", "--delay", "600");
      const { result } = await slipway.run(["up"]);
      expect(result, JSON.stringify(result)).toMatchObject({ ok: true, changed: true });
      const host = new URL(result.url).hostname;
      expect(await connectTo(host, 22)).not.toBe("connected");
      const { console } = (await slipway.run(["logs", "--console"])).result;
      expect(console).toContain("Failure when attempting to install packages: ['slipway-no-such-package']");
      expect(console).toContain("cloud-config failed schema validation");

      // that it ends by itself, too: test/cloud/faults/guests.test.ts
      expect((await slipway.run(["cloud", "disarm", "ssh-late"])).result).toMatchObject({ disarmed: ["P17:ssh-late"] });
      await expect.poll(() => connectTo(host, 22), { timeout: 20_000 }).toBe("connected");
      await arm("host-key-changed");
      const before = await hostKey(host);
      const { headers, endpoint } = await logIn(slipway);
      const action = `${endpoint("compute")}/servers/${result.hosts[0].id}/action`;
      expect((await postJson(action, { reboot: { type: "HARD" } }, headers)).status).toBe(202);
      const changed = () =>
        hostKey(host).then(
          (key) => key !== before,
          () => false,
        );
      await expect.poll(changed, { timeout: 60_000, interval: 500 }).toBe(true);
      const { armed } = (await slipway.run(["cloud", "faults"])).result;
      expect(armed.map(({ id, firings }: { id: string; firings: unknown[] }) => [id, firings.length])).toEqual([
        ["P16:apt-fails", 1],
        ["P16:unknown-key", 1],
        ["P21:host-key-changed", 1],
      ]);
      await down();
    });

    it("P16: a `runcmd` that ends early ends `up` with cloud-init's complaints", async () => {
      await arm("step-exits-7");
      const { exitCode, result } = await slipway.run(["up"]);
      expect(exitCode).toBe(5);
      expect(result.error).toMatchObject({
        code: "E_BOOTSTRAP_FAILED",
        details: expect.arrayContaining([expect.stringContaining("Failed to run module scripts-user")]),
      });
      expect(await listOf(slipway, "network", "floatingips")).toMatchObject([{ port_id: null }]);
      await down();
    });

    it("P17: a cloud-init that never ends ends the wait at its deadline, with the console's last lines", async () => {
      await arm("cloud-init-never-done");
      const kill = {
        signal: "SIGINT" as const,
        at: ({ phase, state }: { phase?: string; state?: string }) => phase === "bootstrap" && state === "start",
      };
      expect((await slipway.run(["up"], { kill })).exitCode).toBe(130);
      const { exitCode, result } = await slipway.run(["attach", "--timeout", "8"]);
      expect(exitCode).toBe(8);
      expect(result.error).toMatchObject({ code: "E_TIMEOUT", message: expect.stringContaining("no verdict in 8 s") });
      expect(result.error.details.length).toBeGreaterThan(0);
      expect((await slipway.run(["logs", "--console"])).result.console).not.toMatch(/Cloud-init v\. \S+ finished/);
      await down();
    });
  },
);

/** The SSH host key that is shown there, as base64; nobody logs in. */
function hostKey(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.on("error", reject); // that the key was not accepted comes after the key was told
    client.connect({
      host,
      username: "nobody",
      readyTimeout: 5000,
      hostVerifier: (key: Buffer) => {
        resolve(key.toString("base64"));
        return false;
      },
    });
  });
}
