import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf, logIn, postJson } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

const skip = await whyNoGuests();

describe.skipIf(skip !== undefined)(
  `a stack whose releases are pushed over SSH${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    let slipway: Slipway;
    // biome-ignore lint/suspicious/noExplicitAny: the final object of `up`, looked into with matchers
    let first: any;
    const phases = (lines: { phase?: string; state?: string }[]) =>
      lines.flatMap(({ phase, state }) => (state === "done" && phase ? [phase] : []));
    const knownHosts = () => join(slipway.home, "stacks/production/known_hosts");
    const pins = () => readFile(knownHosts(), "utf8");
    const addresses = () => listOf(slipway, "network", "floatingips");

    beforeAll(async () => {
      slipway = await Slipway.create();
      const file = join(slipway.projectRoot, "stacks/Pulumi.production.yaml");
      await writeFile(file, `${await readFile(file, "utf8")}  slipway:source: push\n`);
      expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "nspawn" });
    });
    afterAll(async () => {
      expect(await slipway?.remove()).toEqual([]);
    });

    it("that was killed while it pushed keeps its address for maintenance until the next `up`, which gives it back", async () => {
      const killed = await slipway.run(["up", "production"], {
        kill: { at: ({ text }) => text?.startsWith("pushing layers/") === true },
      });
      expect(killed.signal).toBe("SIGKILL");
      expect(await addresses()).toMatchObject(
        expect.arrayContaining([expect.objectContaining({ tags: expect.arrayContaining(["slipway-maintenance"]) })]),
      );

      const { result, exitCode, lines } = await slipway.run(["up", "production"]);
      expect(result).toMatchObject({ ok: true, changed: true, model: { version: "1" } });
      expect(exitCode).toBe(0);
      expect(phases(lines)).toEqual(expect.arrayContaining(["publish", "provision", "push", "bootstrap", "attach"]));
      first = result;
      expect(await addresses()).toMatchObject([{ floating_ip_address: new URL(result.url).hostname }]);
    });

    it("pins the host's key, and keeps what it published out of the cloud", async () => {
      expect(await pins()).toMatch(new RegExp(`^${first.hosts[0].id} ssh-ed25519 AAAA\\S+\n$`));
      const { headers, endpoint } = await logIn(slipway);
      const containers = await fetch(`${endpoint("object-store")}?format=json`, { headers });
      expect(await containers.json()).toEqual([]);
    });

    it("a second `up` changes nothing and logs in nowhere", async () => {
      const { result, lines } = await slipway.run(["up", "production"]);
      expect(result).toMatchObject({ ok: true, changed: false, url: first.url });
      expect(phases(lines)).not.toContain("push");
    });

    it("another model is pushed through the address that serves", async () => {
      const { result, lines } = await slipway.run(["up", "production", "--model", "models/diabetes/development"]);
      expect(result).toMatchObject({ ok: true, model: { version: "2" }, hosts: [{ id: first.hosts[0].id }] });
      expect(lines.map(({ text }) => text)).not.toContainEqual(expect.stringContaining("maintenance"));
      const pushed = lines.flatMap(({ text }) => (text?.startsWith("pushing ") ? [text] : []));
      expect(pushed).toEqual([expect.stringMatching(/^pushing models\//)]);
    });

    it("`ssh` runs a command on the host and ends with its status", async () => {
      const ended = await slipway.print(["ssh", "production", "--", "hostname; exit 3"]);
      expect(ended).toMatchObject({ exitCode: 3, stdout: "server-g1\n" });
    });

    it("a host that presents another key is not logged in to", async () => {
      const pinned = await pins();
      const other = await readFile(join(slipway.home, "id_ed25519.pub"), "utf8");
      await writeFile(knownHosts(), `${first.hosts[0].id} ${other}`);
      const { result, exitCode } = await slipway.run(["up", "production", "--model", "models/diabetes/production"]);
      expect(result).toMatchObject({ ok: false, error: { code: "E_HOST_KEY" } });
      expect(exitCode).toBe(5);
      await writeFile(knownHosts(), pinned);
      expect((await slipway.run(["up", "production", "--model", "models/diabetes/production"])).result).toMatchObject({
        ok: true,
        model: { version: "3" },
      });
    });

    it("`payload push` brings another release into the host, which takes it over through its own gate", async () => {
      const { result, lines } = await slipway.run([
        "payload",
        "push",
        "production",
        "--model",
        "models/diabetes/development",
      ]);
      expect(result).toMatchObject({ ok: true, changed: true, model: { version: "4" } });
      expect(phases(lines)).toEqual(["model", "authenticate", "publish", "push"]);
      const serving = async () => {
        const answer = await fetch(`${first.url}/version`, { signal: AbortSignal.timeout(2000) }).catch(
          () => undefined,
        );
        const { model } = ((await answer?.json()) ?? {}) as { model?: { digest: string } | null };
        return model?.digest === result.model.digest || undefined;
      };
      await waitFor("the host to serve what was pushed", serving, { timeoutMs: 60_000, intervalMs: 500 });
    });

    // ledger row P21
    it("a host whose keys were made anew behind our back is not logged in to", async () => {
      expect((await slipway.run(["cloud", "arm", "P21"])).result).toMatchObject({ ok: true });
      const { headers, endpoint } = await logIn(slipway);
      const server = `${endpoint("compute")}/servers/${first.hosts[0].id}`;
      expect((await postJson(`${server}/action`, { reboot: { type: "HARD" } }, headers)).status).toBe(202);
      const refused = async () => {
        const ended = await slipway.print(["ssh", "production", "--", "true"]);
        return ended.exitCode === 5 && ended.stderr.includes("E_HOST_KEY") ? ended : undefined;
      };
      const { stderr } = await waitFor("a key that is refused", refused, { timeoutMs: 90_000, intervalMs: 1000 });
      expect(stderr).toMatch(/presented: SHA256:\S{43}\n.*pinned: {4}SHA256:\S{43}/);
    });

    it("`down` leaves neither address nor pin", async () => {
      expect((await slipway.run(["down", "production", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
      expect(await addresses()).toEqual([]);
      expect(await pins()).toBe("\n");
    });
  },
);
