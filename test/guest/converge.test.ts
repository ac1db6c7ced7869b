import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hexOf } from "../../src/common/digest.ts";
import { converge } from "../../src/guest/converge.ts";
import type { Host } from "../../src/guest/host.ts";
import { readHostConfig } from "../../src/guest/host-config.ts";
import type { Manifest } from "../../src/guest/manifest.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import { ensureQueueConfig, ensureQueueServer } from "../../src/guest/queue.ts";
import { requireSameProtocol } from "../../src/guest/rolling.ts";
import { collapsedService, servingFrontend } from "../../src/guest/services.ts";
import { servingFileOf } from "../../src/guest/serving-file.ts";
import { socketUnits } from "../../src/guest/socket-units.ts";
import { payloadServices, type Service } from "../../src/guest/unit-names.ts";
import { unitText } from "../../src/guest/units.ts";
import { entryOf, parseTokens } from "../../src/serving/access/tokens.ts";
import { type ServingSettings, servingConfig } from "../../src/serving/config.ts";
import { defaultModel } from "../../src/serving/models/registry.ts";
import { readRegistry } from "../../src/serving/models/registry-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fakeHost } from "./fake-host.ts";

describe("converge", () => {
  it("makes a bare host serve, step by step", async () => {
    const { host, paths, release, commands, entries } = await fakeHost();
    const manifest = await release(1, { output: 0.25 });
    expect(await converge(host, manifest, { restart: payloadServices })).toEqual([0.25, 0.25]);
    const steps = entries().flatMap((entry) => (entry.type === "step" && entry.state === "end" ? [entry.step] : []));
    expect(steps).toEqual(["configuration", "payload", "users", "queue", "model", "units", "start", "gate"]);
    const payload = realpathSync(paths.currentPayload);
    expect(payload).toBe(join(paths.payloads, hexOf(manifest.payload.digest)));
    expect(readFileSync(join(payload, "app/bootstrap.mjs"), "utf8")).toBe("1");
    expect(defaultModel(await readRegistry(paths.models))).toMatchObject({ digest: manifest.models[0]?.digest });
    const written = servingConfig.parse(JSON.parse(readFileSync(paths.serving, "utf8")));
    // the services read it, and are not root
    expect(statSync(paths.serving).mode & 0o777).toBe(0o644);
    expect(written).toMatchObject({ payload: manifest.payload.digest, modelsDir: paths.models, generation: "g1" });
    expect(commands).toContain(
      "systemctl enable --quiet slipway-runtime@default-0.service slipway-runtime@default-1.service slipway-frontend@a.service slipway-agent.service slipway-frontend.socket",
    );
  });

  it("run again changes no file and reloads nothing", async () => {
    const { host, paths, release, commands } = await fakeHost();
    const manifest = await release(1, { output: 0.25 });
    await converge(host, manifest, { restart: payloadServices });
    const unit = join(paths.units, "slipway-runtime@.service");
    const before = statSync(unit).mtimeMs;
    commands.length = 0;
    await converge(host, manifest, { restart: [] });
    expect(statSync(unit).mtimeMs).toBe(before);
    expect(commands).toEqual([
      "getent passwd slipway",
      `chown slipway:slipway ${paths.models} ${join(paths.models, "registry.json")} ${join(paths.models, "registry.lock")}`,
      "systemctl start slipway-runtime@default-0.service slipway-runtime@default-1.service slipway-frontend@a.service",
      "systemctl reset-failed slipway-runtime@default-0.service slipway-runtime@default-1.service slipway-frontend@a.service",
    ]);
  });

  it("makes the service user where there is none", async () => {
    const { host, release, commands } = await fakeHost();
    const run = host.run;
    host.run = async (command, args, options) => {
      if (command === "getent") throw new Error("exit status 2");
      return run(command, args, options);
    };
    await converge(host, await release(1, { output: 0.25 }), { restart: payloadServices });
    expect(commands[0]).toMatch(/^useradd --system .* slipway$/);
  });

  it.each([
    ["has several classes", { output: 0.75, width: 3 }],
    [
      "answers numbers whose float32 neighbours are farther apart than the tolerance",
      { output: 4000, golden: 4000.02 },
    ],
  ])("passes its gate with a model that %s", async (_what, model) => {
    const { host, release } = await fakeHost();
    expect(await converge(host, await release(1, model), { restart: payloadServices })).toEqual([
      model.output,
      model.output,
    ]);
  });

  it("stops at the step that fails", async () => {
    const { host, paths, release, entries } = await fakeHost();
    const manifest = await release(1, { output: 0.25, golden: 0.3 });
    await expect(converge(host, manifest, { restart: payloadServices })).rejects.toMatchObject({ step: "gate" });
    expect(entries().at(-1)).toMatchObject({ type: "step", step: "gate", state: "end", code: 1 });
    expect(existsSync(paths.release)).toBe(false);
  });
});

/** What systemd was told to do with serving units, in order. */
const started = (commands: string[]) =>
  commands.flatMap((line) => {
    const [, verb, units] = /^systemctl (restart|stop|start|enable|disable)(?: --\S+)* (.*)$/.exec(line) ?? [];
    // all of them at once: what runs already
    return verb && units && !(verb === "start" && units.includes(" ")) ? [`${verb} ${units}`] : [];
  });

describe("a host that serves, given another payload", () => {
  const servingHost = async () => {
    const fake = await fakeHost();
    const first = await fake.release(1, { output: 0.25 });
    await converge(fake.host, first, { restart: payloadServices });
    return { ...fake, first, next: await fake.release(2, { output: 0.25 }, 2) };
  };

  it("has its frontend replaced by one that has passed the gate before anybody else asks it", async () => {
    const { host, paths, served, first, next, entries, frontend } = await servingHost();
    const run = host.run;
    const seen: unknown[] = [];
    host.run = async (command, args, options) => {
      if (command === "systemctl" && args[0] === "enable") seen.push((await served()).payload);
      const result = await run(command, args, options);
      if (command === "systemctl" && args.join(" ") === "start slipway-frontend@b.service") {
        seen.push((await served()).payload);
      }
      return result;
    };
    await converge(host, next, { restart: payloadServices });
    expect(seen).toEqual([first.payload.digest, next.payload.digest]);
    expect(await served()).toMatchObject({ payload: next.payload.digest, output: 0.25 });
    expect(await servingFrontend(paths)).toBe("b");
    const steps = entries().flatMap((entry) => (entry.type === "step" && entry.state === "end" ? [entry.step] : []));
    expect(steps.slice(-3)).toEqual(["start", "gate", "switch"]);
    // and back again, to the other instance
    await converge(host, first, { restart: payloadServices });
    expect(await servingFrontend(paths)).toBe("a");
    expect((await served()).payload).toBe(first.payload.digest);
    expect(frontend.running()).toEqual(["a"]);
  });

  it("keeps its frontend where the new one does not pass the gate, and nothing of that is left", async () => {
    const { host, paths, served, first, next, meddling, frontend } = await servingHost();
    meddling.instead = 0.5;
    await expect(converge(host, next, { restart: payloadServices })).rejects.toMatchObject({ step: "gate" });
    delete meddling.instead;
    expect(await servingFrontend(paths)).toBe("a");
    expect(frontend.running()).toEqual(["a"]);
    expect(readdirSync(paths.holds)).toEqual([]);
    expect(await served()).toMatchObject({ payload: first.payload.digest, output: 0.25 });
  });

  it("whose runtimes would speak another version of their protocol changes nothing", async () => {
    const { host, commands } = await servingHost();
    commands.length = 0;
    await expect(requireSameProtocol(host)).resolves.toBeUndefined();
    await expect(requireSameProtocol(host, 2)).rejects.toThrow(
      /speak version 2 .* serve version 1: .*slipway:generation/,
    );
    expect(commands).toEqual([]);
  });

  it("that listens elsewhere as well begins there beside what listens, and ends the old place once nobody serves it", async () => {
    const { host, paths, release, commands } = await servingHost();
    const at = (sequence: number, port: number) =>
      release(sequence, { output: 0.25 }, 1, { serving: { grpc: { port } } });
    const text = (port: number) => readFileSync(join(paths.units, `slipway-grpc-${port}.socket`), "utf8");
    const listening = () => readdirSync(paths.enabledSockets).sort();
    commands.length = 0;
    await converge(host, await at(3, 5101), { restart: [] });
    expect(started(commands).filter((line) => !/runtime|queue|enable .* /.test(line))).toEqual([
      "stop slipway-frontend@b.service",
      "start slipway-grpc-5101.socket",
      "start slipway-frontend@b.service",
      "enable slipway-frontend@b.service",
      "disable slipway-frontend@a.service",
      "stop slipway-frontend@a.service",
    ]);
    // systemd refuses to listen for an instance that runs
    expect(text(5101)).toContain("Service=slipway-frontend@b.service");
    expect(listening()).toEqual(["slipway-frontend.socket", "slipway-grpc-5101.socket"]);

    commands.length = 0;
    await converge(host, await at(4, 5102), { restart: [] });
    expect(text(5102)).toContain("Service=slipway-frontend@a.service");
    const all = started(commands);
    expect(all.indexOf("start slipway-grpc-5102.socket")).toBeLessThan(all.indexOf("start slipway-frontend@a.service"));
    expect(all.slice(-2)).toEqual(["stop slipway-frontend@b.service", "disable slipway-grpc-5101.socket"]);
    expect(listening()).toEqual(["slipway-frontend.socket", "slipway-grpc-5102.socket"]);
    // and back, to a unit file that is there still
    await converge(host, await at(5, 5101), { restart: [] });
    expect(listening()).toEqual(["slipway-frontend.socket", "slipway-grpc-5101.socket"]);
    expect(text(5101)).toContain("Service=slipway-frontend@b.service");
  });

  it("whose new frontend does not pass the gate listens where it did", async () => {
    const { host, paths, first, release, meddling } = await servingHost();
    meddling.instead = 0.5;
    const next = await release(3, { output: 0.25 }, 1, { serving: { grpc: { port: 5101 } } });
    await expect(converge(host, next, { restart: [] })).rejects.toMatchObject({ step: "gate" });
    delete meddling.instead;
    await converge(host, first, { restart: [], asTheyAre: ["frontend"] });
    expect(readdirSync(paths.enabledSockets)).toEqual(["slipway-frontend.socket"]);
    expect(await servingFrontend(paths)).toBe("a");
  });
});

describe("the queue", () => {
  it("keeps its password, and shows it to root and the service user alone", async () => {
    const { host, paths } = await fakeHost();
    expect(await ensureQueueConfig(host, { host: "127.0.0.1", port: 6379 }, false)).toBe(true);
    const password = readFileSync(paths.queuePassword, "utf8").trim();
    expect(await ensureQueueConfig(host, { host: "127.0.0.1", port: 6379 }, false)).toBe(false);
    expect(readFileSync(paths.queuePassword, "utf8").trim()).toBe(password);
    const config = readFileSync(paths.queueConfig, "utf8");
    for (const line of [
      "bind 127.0.0.1",
      `requirepass ${password}`,
      "appendfsync everysec",
      "maxmemory-policy noeviction",
    ]) {
      expect(config.split("\n")).toContain(line);
    }
    expect(await ensureQueueConfig(host, { host: "127.0.0.1", port: 6379 }, true)).toBe(true);
    expect(readFileSync(paths.queueConfig, "utf8")).toContain("appendfsync always");
    for (const file of [paths.queuePassword, paths.queueConfig]) expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it("takes the host's Valkey or Redis and switches the distribution's instance off", async () => {
    const { host, commands } = await fakeHost();
    const redis = (path: string) => path.includes("redis");
    expect(await ensureQueueServer(host, redis)).toBe("/usr/bin/redis-server");
    expect(commands.at(-1)).toBe("systemctl disable --now --quiet redis-server.service");
  });

  it("leaves an instance alone that is off", async () => {
    const { host, commands } = await fakeHost();
    const run = host.run;
    host.run = async (command, args, options) =>
      args[0] === "show"
        ? { stdout: "ActiveState=inactive\nUnitFileState=disabled\n", stderr: "" }
        : run(command, args, options);
    await ensureQueueServer(host, () => true);
    expect(commands).toEqual([]);
  });

  it("installs one where there is none, waiting for dpkg's lock", async () => {
    const { host, commands } = await fakeHost();
    const installed = () => commands.some((line) => line.endsWith("valkey-server"));
    expect(await ensureQueueServer(host, (path) => path === "/usr/bin/valkey-server" && installed())).toBe(
      "/usr/bin/valkey-server",
    );
    expect(commands).toEqual([
      "apt-get -q -y -o DPkg::Lock::Timeout=120 update",
      "apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends valkey-server",
    ]);
  });

  it("says both reasons when neither can be installed", async () => {
    const { host } = await fakeHost();
    host.run = async (_command, args) => {
      if (args.includes("install")) throw new Error(`no package ${args.at(-1)}`);
      return { stdout: "", stderr: "" };
    };
    await expect(ensureQueueServer(host, () => false)).rejects.toThrow(/valkey-server(?:.|\n)*redis-server/);
  });
});

describe("collapsedService", () => {
  it("names the service that systemd keeps restarting, with its last lines", async () => {
    const { host } = await fakeHost();
    host.run = async (command, args) => {
      if (command === "journalctl") return { stdout: "cannot start\n", stderr: "" };
      return { stdout: args.includes("slipway-runtime@default-1.service") ? "4\n" : "0\n", stderr: "" };
    };
    expect(
      await collapsedService(host, { runtimes: [{ name: "default", replicas: 2 }], frontend: "a", workers: 1 }),
    ).toBe("slipway-runtime@default-1.service does not stay up\ncannot start\n");
  });
});

describe("a stack's settings", () => {
  const sha256 = "ab".repeat(32);

  it("reach serving.json, and what reads it runs anew", async () => {
    const { host, paths, release, commands, served } = await fakeHost();
    const first = await release(1, { output: 0.25 });
    await converge(host, first, { restart: payloadServices });
    commands.length = 0;
    const serving = { models: { m: { durable: true } }, limits: { requestRows: 8 }, frontend: { bodyBytes: 1000 } };
    await converge(host, await release(2, { output: 0.25 }, 1, { serving }), { restart: [] });
    const written = servingConfig.parse(JSON.parse(readFileSync(paths.serving, "utf8")));
    expect(written).toMatchObject({ models: serving.models, limits: serving.limits });
    expect(written.frontend).toMatchObject({ bodyBytes: 1000, host: "0.0.0.0", stateDir: paths.frontendState });
    // the first enables all anew: the runtimes' unit is another for durable models
    expect(started(commands).slice(1)).toEqual([
      // it has no socket yet, and so serves nobody
      "restart slipway-runtime@default-1.service",
      "restart slipway-runtime@default-0.service",
      "stop slipway-frontend@b.service",
      "start slipway-frontend@b.service",
      "enable slipway-frontend@b.service",
      "disable slipway-frontend@a.service",
      "stop slipway-frontend@a.service",
    ]);
    expect((await served()).payload).toBe(first.payload.digest);
  });

  it("cannot move what the host itself decides", async () => {
    const { host, release } = await fakeHost();
    const settings = { serving: { modelsDir: "/elsewhere", frontend: { port: 1, tokensFile: "/elsewhere" } } };
    const { serving } = servingFileOf(host, await release(1, { output: 0.25 }, 1, settings));
    expect(serving).toMatchObject({ modelsDir: host.paths.models, frontend: { port: 5100 } });
    expect(serving.frontend.tokensFile).toBeUndefined();
  });

  it("that this payload does not understand change nothing", async () => {
    const { host, paths, release } = await fakeHost();
    const settings = { serving: { limits: { requestRows: "many" } } };
    const failing = converge(host, await release(1, { output: 0.25 }, 1, settings), { restart: payloadServices });
    await expect(failing).rejects.toMatchObject({
      step: "configuration",
      message: "this payload does not understand the stack's settings",
      lines: [expect.anything(), expect.stringMatching(/^serving\.limits\.requestRows: .*number/)],
    });
    expect(existsSync(paths.serving)).toBe(false);
  });

  it("end the runtimes of groups that are no more", async () => {
    const { host, paths, release, commands } = await fakeHost();
    mkdirSync(paths.enabledUnits, { recursive: true });
    writeFileSync(join(paths.enabledUnits, "slipway-runtime@old-0.service"), "");
    const runtimes = [{ name: "default", replicas: 1 }];
    await converge(host, await release(1, { output: 0.25 }, 1, { serving: { runtimes } }), {
      restart: payloadServices,
    });
    expect(commands).toContain("systemctl disable --now --quiet slipway-runtime@old-0.service");
    expect(commands).toContain("systemctl start slipway-runtime@default-0.service slipway-frontend@a.service");
  });

  it("say how many workers there are: only those that come or go are touched", async () => {
    const { host, paths, release, commands } = await fakeHost();
    host.config = { ...host.config, roles: { ...host.config.roles, worker: {} } };
    await converge(host, await release(1, { output: 0.25 }), { restart: payloadServices });
    const [one, two, three] = [1, 2, 3].map((number) => `slipway-worker@${number}.service`);
    const workers = () => readdirSync(paths.enabledUnits).filter((unit) => unit.includes("worker"));
    expect(workers()).toEqual([one]);
    commands.length = 0;
    await converge(host, await release(2, { output: 0.25 }, 1, { scale: { worker: 3 } }), { restart: [] });
    expect(workers()).toEqual([one, two, three]);
    expect(commands.filter((line) => /^systemctl (re|stop)/.test(line) && !line.includes("reset-failed"))).toEqual([]);
    expect(commands.find((line) => line.startsWith("systemctl start"))).toContain(three);
    commands.length = 0;
    await converge(host, await release(3, { output: 0.25 }), { restart: [] });
    expect(commands).toContain(`systemctl disable --now --quiet ${two} ${three}`);
    expect(workers()).toEqual([one]);
  });

  it("say how many runtimes there are", async () => {
    const { host, release } = await fakeHost();
    const { serving } = servingFileOf(host, await release(1, { output: 0.25 }, 1, { scale: { runtime: 5 } }));
    expect(serving.runtimes).toMatchObject([{ name: "default", replicas: 5 }]);
  });

  it("with tokens: the host knows their hashes, and its gate asks with one of its own", async () => {
    const { host, paths, release } = await fakeHost();
    const tokens = [{ name: "ci", role: "deploy" as const, sha256 }];
    await converge(host, await release(1, { output: 0.25 }, 1, { tokens }), { restart: payloadServices });
    const known = parseTokens(readFileSync(paths.tokens, "utf8"));
    const gate = readFileSync(paths.gateToken, "utf8").trim();
    expect(known[0]).toEqual(tokens[0]);
    expect(entryOf(gate, known)).toMatchObject({ name: "gate", role: "predict" });
    expect(statSync(paths.gateToken).mode & 0o777).toBe(0o600);
    expect(statSync(paths.tokens).mode & 0o777).toBe(0o640);
    expect(readFileSync(paths.journal, "utf8")).not.toContain(gate);

    await converge(host, await release(2, { output: 0.25 }, 1, { tokens: [{ name: "x", role: "read", sha256 }] }), {
      restart: [],
    });
    expect(parseTokens(readFileSync(paths.tokens, "utf8")).map(({ name }) => name)).toEqual(["x", "gate"]);
    expect(readFileSync(paths.gateToken, "utf8").trim()).toBe(gate);

    await converge(host, await release(3, { output: 0.25 }), { restart: [] });
    expect(existsSync(paths.tokens)).toBe(false);
  });

  it("with tokens: a frontend that answers strangers does not pass the gate", async () => {
    const { host, paths, release } = await fakeHost();
    const manifest = await release(1, { output: 0.25 }, 1, { tokens: [{ name: "ci", role: "deploy", sha256 }] });
    const run = host.run;
    host.run = async (command, args, options) => {
      if (args[0] === "restart") {
        const serving = JSON.parse(readFileSync(paths.serving, "utf8"));
        delete serving.frontend.tokensFile;
        writeFileSync(paths.serving, JSON.stringify(serving));
      }
      return run(command, args, options);
    };
    await expect(converge(host, manifest, { restart: payloadServices })).rejects.toMatchObject({
      step: "gate",
      message: expect.stringContaining("answers 200 without a token, not 401"),
    });
  });
});

describe("unitText", () => {
  const textOf = (service: Service, host: Pick<Host, "config" | "paths">, serving: ServingSettings = {}) => {
    const payload = { digest: `sha256:${"0".repeat(64)}` } as Manifest["payload"];
    const manifest = { payload, settings: { serving: serving as Record<string, unknown> } };
    return unitText(service, { serving: servingFileOf(host, manifest).serving, queueServer: "/usr/bin/valkey-server" });
  };
  const services = ["queue", "runtime", "frontend", "worker", "agent"] as const;
  it.each(services)("%s is enabled at boot, restarted for ever, and hardened", async (service) => {
    const { host } = await fakeHost();
    const lines = textOf(service, host).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        "Restart=always",
        "StartLimitIntervalSec=0",
        "WantedBy=multi-user.target",
        "NoNewPrivileges=yes",
      ]),
    );
    expect(lines.includes("User=slipway")).toBe(service !== "agent");
  });

  it("hands each of the frontend's listeners to it by name, also those at ports that only root may bind", async () => {
    const { host } = await fakeHost();
    const config = { ...host.config, roles: { frontend: { port: 80 } } };
    const manifest = { payload: { digest: `sha256:${"0".repeat(64)}` } as Manifest["payload"] };
    const settings = { serving: { grpc: { port: 5101 } } };
    const { serving } = servingFileOf({ ...host, config }, { ...manifest, settings });
    const sockets = socketUnits(serving);
    expect(sockets.map(({ file }) => file)).toEqual(["slipway-frontend.socket", "slipway-grpc-5101.socket"]);
    const listening = sockets.map(({ text }) =>
      text("a")
        .split("\n")
        .filter((line) => /^(Listen|FileDesc)/.test(line)),
    );
    expect(listening).toEqual([
      ["ListenStream=0.0.0.0:80", "FileDescriptorName=http"],
      ["ListenStream=0.0.0.0:5101", "FileDescriptorName=grpc"],
    ]);
    const lines = unitText("frontend", { serving, queueServer: "" }).split("\n");
    expect(lines).toContain("Sockets=slipway-frontend.socket slipway-grpc-5101.socket");
    expect(lines).toContain("CapabilityBoundingSet=");
  });

  it("lets runtimes out to the queue alone, and only where a model is durable", async () => {
    const { host } = await fakeHost();
    expect(textOf("runtime", host)).toContain("PrivateNetwork=yes");
    const durable = textOf("runtime", host, { models: { m: { durable: true } } });
    expect(durable).not.toContain("PrivateNetwork");
    expect(durable.split("\n")).toEqual(
      expect.arrayContaining([
        "After=network.target slipway-queue.service",
        "IPAddressDeny=any",
        "IPAddressAllow=localhost",
      ]),
    );
  });

  it("shows runtimes a GPU only where they are told to compute on one", async () => {
    const { host } = await fakeHost();
    expect(textOf("runtime", host)).toContain("PrivateDevices=yes");
    const cuda = textOf("runtime", host, { runtimes: [{ name: "gpu", device: "cuda" }] });
    expect(cuda).not.toContain("PrivateDevices");
    expect(cuda).toContain("DeviceAllow=char-nvidia* rw");
  });
});

describe("readHostConfig", () => {
  it("takes the roles whose files are there", async () => {
    const paths = guestPaths(temporaryFolder());
    mkdirSync(paths.roles, { recursive: true });
    const identity = {
      schemaVersion: 1,
      stack: "s",
      host: "h",
      generation: "g1",
      sourceUrl: "http://x",
      publicKey: "k",
    };
    writeFileSync(paths.host, JSON.stringify(identity));
    writeFileSync(join(paths.roles, "frontend.json"), '{"port":5100}');
    writeFileSync(join(paths.roles, "runtime.json"), "{}");
    expect(await readHostConfig(paths)).toEqual({ ...identity, roles: { frontend: { port: 5100 }, runtime: {} } });
    writeFileSync(join(paths.roles, "frontend.json"), '{"port":"x"}');
    await expect(readHostConfig(paths)).rejects.toThrow("port");
  });
});
