import { openAsBlob } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAlive as isRunning } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import { readRun } from "../../src/cloud/hypervisors/qemu/guest-files.ts";
import { waitFor } from "../../src/common/wait.ts";
import { isAlive } from "../support/alive.ts";
import { ordinaryImage } from "./guests/ordinary-image.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { askerOf, listOf, logIn, postJson } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

// A stack's whole life on a virtual machine, by software emulation where KVM does not work: a quarter of an hour, on a busy machine three. Only where it is asked for.
const skip = process.env.SLIPWAY_TEST_QEMU === "1" ? await whyNoGuests() : "not asked for";
const patienceMs = 75 * 60_000;

describe.skipIf(skip !== undefined)(
  `a stack on a virtual machine${skip === undefined ? "" : ` (${skip})`}`,
  { timeout: patienceMs },
  () => {
    let slipway: Slipway;
    let url: string;
    let serverId: string;

    const expectGolden = async () => {
      const golden = join(slipway.projectRoot, "models/diabetes/production/golden.json");
      const { rows, outputs } = JSON.parse(await readFile(golden, "utf8"));
      const answer = await postJson(`${url}/v1/predict`, { rows });
      const { predictions } = (await answer.json()) as { predictions: { probability: number }[] };
      expect(predictions.map(({ probability }) => probability)).toEqual(
        outputs.map((output: number) => expect.closeTo(output, 5)),
      );
    };
    /** The QEMU that runs the host. */
    const machine = async () => (await readRun(join(slipway.home, "cloud/guests", serverId)))?.process;

    beforeAll(async () => {
      const image = await ordinaryImage();
      slipway = await Slipway.create();
      // a worker on a machine that is emulated stands still for longer than one usually does
      const file = join(slipway.projectRoot, "stacks/Pulumi.production.yaml");
      await appendFile(file, "  slipway:serving: { jobs: { lockMs: 60000 } }\n");
      const started = await slipway.run(["cloud", "start", "--hypervisor", "qemu"]);
      expect(started.result).toMatchObject({ ok: true, hypervisor: "qemu" });
      const ask = askerOf(slipway);
      const fields = { name: "debian-13", disk_format: "qcow2", container_format: "bare" };
      const { id } = await ask("POST", "image", "/v2/images", fields);
      const { headers, endpoint } = await logIn(slipway);
      const sent = await fetch(`${endpoint("image")}/v2/images/${id}/file`, {
        ...{ method: "PUT", body: await openAsBlob(image) },
        headers: { ...headers, "content-type": "application/octet-stream" },
      });
      expect(sent.status).toBe(204);
    }, patienceMs);
    afterAll(async () => {
      expect(await slipway?.remove()).toEqual([]);
    });

    it("`up` ends with the predictions that Keras computed", async () => {
      const { result, lines } = await slipway.run(["up", "production", "--timeout", "3600"], { timeoutMs: patienceMs });
      const seconds = lines.flatMap(({ type, phase, state, ms }) =>
        type === "phase" && state === "done" ? [`${phase} ${Number(ms) / 1000} s`] : [],
      );
      console.log(seconds.join(", "));
      expect(result.error).toBeUndefined();
      expect(result).toMatchObject({ ok: true, changed: true, model: { name: "diabetes", version: "1" } });
      url = result.url;
      serverId = result.hosts[0].id;
      await expectGolden();
    });

    it("a daemon that was killed finds its guests again, which served meanwhile", async () => {
      const before = await machine();
      const { pid } = (await slipway.run(["cloud", "status"])).result;
      process.kill(pid, "SIGKILL");
      await waitFor("the daemon to be gone", async () => !isAlive(pid) || undefined, { timeoutMs: 5_000 });
      await expectGolden();
      expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "qemu" });
      expect(await listOf(slipway, "compute", "servers/detail")).toMatchObject([{ id: serverId, status: "ACTIVE" }]);
      await expectGolden();
      expect(before && (await isRunning(before))).toBe(true);
      expect(await machine()).toEqual(before);
    });

    it("`down` leaves nothing", async () => {
      const { result } = await slipway.run(["down", "production", "--yes"], { timeoutMs: patienceMs });
      expect(result.error).toBeUndefined();
      expect(result).toMatchObject({ ok: true, leftovers: [] });
      expect(await listOf(slipway, "compute", "servers")).toEqual([]);
    });
  },
);
