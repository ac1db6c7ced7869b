import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "../../src/common/errors.ts";
import { waitFor } from "../../src/common/wait.ts";
import type { ReleasePhase } from "../../src/guest/release-progress.ts";
import type { Ended } from "../e2e/slipway.ts";
import { onnxFile } from "../serving/models/onnx-file/files.ts";
import type { Traits } from "./models.ts";
import type { Stage } from "./stage.ts";

/** What a release must come to. */
interface Expected {
  /** Of the command, or those of which it may have one; null where it was killed. */
  exitCode: number | null | number[];
  code?: string;
  /** What the command gives as the reason. */
  reason?: RegExp;
}

/** A way for a release to go wrong. */
export interface Case {
  name: string;
  /** One of the few that are shown with every run of CI. */
  telling?: true;
  expected: Expected;
  /** Which model serves in the end: the one that did, the new one, or one of both, wholly. */
  serves: "old" | "new" | "either";
  /** Whether the new model may answer before the release has come to its end: only what nobody sees before the switch. */
  answersMeanwhile?: true;
  /** Has a model serve before, by a release that passes. Answers its name. */
  prepare?: (stage: Stage, name: string) => Promise<string>;
  /** Brings a model of this name, which no case had before, on its way. */
  release: (stage: Stage, name: string) => Promise<Ended>;
}

const kept = (reason: RegExp): Expected => ({ exitCode: 6, code: "E_GATE_FAILED", reason });
const passed: Expected = { exitCode: 0 };
/** So long takes a load that something is to happen in. */
const LONG_LOAD = "if (onHost) await sleep(1500);";

/** A model that is bad on the host in this way. */
const bad = (traits: Traits) => async (stage: Stage, name: string) => stage.deploy(await stage.model(name, traits));

/** Something happens to the host in a phase of the release of a model that is good. */
const meanwhile =
  (phase: ReleasePhase, act: (stage: Stage) => Promise<unknown>, traits: Traits = {}) =>
  async (stage: Stage, name: string) => {
    const model = await stage.model(name, traits);
    const acted = stage.atPhase(phase, () => act(stage));
    const [ended] = await Promise.all([stage.deploy(model), acted]);
    return ended;
  };

/** Acts when the files of a release are in the store and the host has not looked yet. */
async function beforeItsFetch(stage: Stage, model: string, act: () => Promise<unknown>): Promise<Ended> {
  const signal = (name: string) => stage.guest.inGuest("systemctl", "kill", "-s", name, "slipway-agent.service");
  await signal("STOP");
  try {
    const { promise: published, resolve } = Promise.withResolvers<void>();
    const ended = stage.deploy(model, {
      onLine: ({ phase, state }) => {
        if (phase === "bootstrap" && state === "start") resolve();
      },
    });
    await Promise.race([published, ended]);
    await act();
    await signal("CONT");
    return await ended;
  } finally {
    await signal("CONT");
  }
}

/** Changes a byte of a model's package where the object store keeps it. */
async function tamper(stage: Stage, name: string): Promise<void> {
  const folder = join(stage.slipway.home, "cloud", "objects");
  for (const object of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!object.isFile()) continue;
    const path = join(object.parentPath, object.name);
    const content = await readFile(path).catch((error: unknown) => {
      if (!isErrno(error, "ENOENT")) throw error; // what a host reports meanwhile comes and goes
    });
    const at = content?.indexOf(name) ?? -1;
    if (content === undefined || at === -1) continue;
    content[at] = "X".charCodeAt(0);
    return writeFile(path, content);
  }
  throw new Error(`the store has no package of ${name}`);
}

/** Has rules of the packet filter hold in the host's own network for as long as something lasts. */
async function filtered<T>(stage: Stage, rules: string, act: () => Promise<T>): Promise<T> {
  const nft = (...words: string[]) => stage.guest.inNetwork("nft", words.join(" "));
  await nft(`table inet invariant { ${rules} }`);
  try {
    return await act();
  } finally {
    await nft("delete table inet invariant");
  }
}

/** The port of the object store, which the host fetches from. */
async function storePort(stage: Stage): Promise<string> {
  const host = JSON.parse(await stage.guest.inGuest("cat", "/etc/slipway/host.json")) as { sourceUrl: string };
  return new URL(host.sourceUrl).port;
}

const dropAll = (port: string) =>
  `chain out { type filter hook output priority 0; tcp dport ${port} drop; }; chain in { type filter hook input priority 0; tcp sport ${port} drop; };`;
const resetAfter = (port: string, kilobytes: number) =>
  `chain in { type filter hook input priority 0; tcp sport ${port} quota over ${kilobytes} kbytes reject with tcp reset; };`;

/** The models' folder has room for so many kilobytes more, and not for one more, while something lasts. */
async function onFullDisk<T>(stage: Stage, kilobytes: number, act: () => Promise<T>): Promise<T> {
  const models = "/var/lib/slipway/models";
  const script = (text: string) => stage.guest.inGuest("sh", "-ec", text);
  await script(`mkdir -p /run/full && mount -t tmpfs -o size=64m,mode=755 full /run/full && cp -a ${models}/. /run/full
    chown slipway:slipway /run/full && mount --bind /run/full ${models}
    head -c $(( $(df --output=avail -k ${models} | tail -1) - ${kilobytes} ))k /dev/zero > ${models}/ballast`);
  try {
    return await act();
  } finally {
    await script(`rm ${models}/ballast; umount ${models}; cp -a /run/full/registry.json ${models}/; umount /run/full`);
  }
}

/** On the host; while it is there, {@link ailing} models are. */
const TROUBLE = "/run/slipway/trouble";
/** Made by the one of its runtimes that goes, and removed when it is back. */
const TURN = `${TROUBLE}.turn`;
/** Takes its runtime down again and again; never both at once, or who asks would have to wait for longer than anybody may. */
const ailing: Traits = {
  module: `import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { connect } from "node:net";
const TROUBLE = ${JSON.stringify(TROUBLE)};
const TURN = ${JSON.stringify(TURN)};
const isThere = (socket: string) => new Promise<boolean>((resolve) => {
  const peer = connect(socket, () => { peer.destroy(); resolve(true); });
  peer.on("error", () => resolve(false));
});
async function ail() {
  if (!existsSync(TROUBLE)) return;
  const sockets = readdirSync(dirname(TROUBLE)).filter((name) => name.endsWith(".sock"));
  const there = await Promise.all(sockets.map((name) => isThere(join(dirname(TROUBLE), name))));
  if (!there.every(Boolean)) return;
  mkdirSync(TURN); // fails where it is the other one's turn
  process.kill(process.pid, "SIGKILL");
}`,
  load: `if (!onHost) return;
  rmSync(TURN, { recursive: true, force: true });
  setInterval(() => ail().catch(() => undefined), 1000);`,
};

async function servesAiling(stage: Stage, name: string): Promise<string> {
  const { exitCode, result } = await stage.deploy(await stage.model(name, ailing));
  if (exitCode !== 0) throw new Error(`the model that is to ail does not pass: ${JSON.stringify(result)}`);
  return name;
}

/** Acts while what serves takes one runtime after the other down, all of which have gone already. */
const whileAiling = (act: (stage: Stage, name: string) => Promise<Ended>) => async (stage: Stage, name: string) => {
  const units = ["slipway-runtime@default-0.service", "slipway-runtime@default-1.service"];
  const deaths = async () => {
    const told = await stage.guest.inGuest("systemctl", "show", "-p", "NRestarts", "--value", ...units);
    return told.trim().split(/\s+/).map(Number);
  };
  const before = await deaths();
  await stage.guest.inGuest("touch", TROUBLE);
  try {
    const haveDied = async () => (await deaths()).every((count, at) => count > (before[at] ?? 0)) || undefined;
    await waitFor("all runtimes to have died", haveDied, { timeoutMs: 60_000 });
    return await act(stage, name);
  } finally {
    await stage.guest.inGuest("rm", "-rf", TROUBLE, TURN);
  }
};

/** Ends the command when it says this, and lets the next one go on. */
const killedAt =
  (isTime: (line: { type?: string; phase?: string; state?: string; text?: string }) => boolean) =>
  async (stage: Stage, name: string) => {
    const model = await stage.model(name, { load: "if (onHost) await sleep(300);" });
    const ended = await stage.deploy(model, { kill: { at: isTime } });
    await stage.settled();
    // whoever comes next finds no lock of the dead one, and the stack whole
    const next = await stage.deploy(model);
    if (next.exitCode !== 0) throw new Error(`the next command fails: ${JSON.stringify(next.result)}`);
    return ended;
  };

const killedDeployer: Case[] = (
  [
    ["imports", ({ phase, state }) => phase === "model" && state === "start"],
    ["publishes", ({ phase, state }) => phase === "publish" && state === "start"],
    ["has published and wakes", ({ phase, state }) => phase === "bootstrap" && state === "start"],
    ["follows the load", ({ text }) => /: load$/.test(text ?? "")],
    ["follows the watch", ({ text }) => /: watch$/.test(text ?? "")],
  ] satisfies [string, Parameters<typeof killedAt>[0]][]
).map(([when, isTime]) => ({
  name: `deployer killed while it ${when}`,
  expected: { exitCode: null },
  serves: "new",
  answersMeanwhile: true,
  release: killedAt(isTime),
}));

const killedAgent: Case[] = (["fetch", "load", "gate", "switch", "watch", "settle"] as const).map((phase) => ({
  name: `agent killed in the phase ${phase}`,
  expected: { exitCode: [0, 6] },
  serves: "either",
  answersMeanwhile: true,
  release: meanwhile(phase, (stage) => stage.kill("slipway-agent.service"), {
    load: phase === "load" ? LONG_LOAD : "",
    before: phase === "gate" ? "if (onHost) await sleep(10);" : "",
  }),
}));

export const cases: Case[] = [
  {
    name: "never ready",
    expected: kept(/takes longer than 30000 ms to load/),
    serves: "old",
    release: bad({ load: "if (onHost) await new Promise(() => setInterval(() => {}, 1e6));" }),
  },
  {
    name: "takes its runtime down when it is loaded",
    telling: true,
    expected: kept(/step load: a runtime went away while it loaded/),
    serves: "old",
    release: bad({ load: 'if (onHost) process.kill(process.pid, "SIGKILL");' }),
  },
  {
    name: "ready, then takes its runtime down",
    telling: true,
    expected: kept(/step (load|gate|switch|watch): /),
    serves: "old",
    answersMeanwhile: true,
    release: bad({ load: 'if (onHost) setTimeout(() => process.kill(process.pid, "SIGKILL"), 1500);' }),
  },
  {
    name: "a byte of its package is another one in the store",
    telling: true,
    expected: kept(/step fetch: .* has the digest/),
    serves: "old",
    release: async (stage, name) => beforeItsFetch(stage, await stage.model(name), () => tamper(stage, name)),
  },
  {
    name: "answers its golden question otherwise on the host",
    telling: true,
    expected: kept(/step (load|gate): /),
    serves: "old",
    release: bad({ before: "if (onHost) n += 1;" }),
  },
  {
    name: "many times as slow",
    expected: kept(/step gate: .*times as long is allowed/),
    serves: "old",
    // so slow that a busy machine does not hide it
    release: bad({ before: "if (onHost) await sleep(500);" }),
  },
  {
    name: "many times as slow, except for its golden question",
    expected: kept(/step watch: .*times as long is allowed/),
    serves: "old",
    answersMeanwhile: true,
    release: bad({ before: "if (onHost && n !== 1) await sleep(500);" }),
  },
  {
    name: "fails one question in twenty, and never its golden one",
    telling: true,
    expected: kept(/step watch: .*are failures/),
    serves: "old",
    answersMeanwhile: true,
    release: bad({ before: 'if (onHost && n % 20 === 7) throw new Error("one in twenty");' }),
  },
  {
    name: "takes all memory when it is loaded",
    expected: kept(/step load: .*more than 512 MiB beside its heap/),
    serves: "old",
    release: bad({ load: "const held = []; while (onHost) held.push(Buffer.alloc(32 << 20, 1));" }),
  },
  {
    name: "the host's disk is full",
    expected: kept(/step fetch: .*(ENOSPC|No space left)/s),
    serves: "old",
    release: async (stage, name) => {
      const model = await stage.model(name, {
        module: `const PAD = "${"x".repeat(300_000)}"; if (PAD.length === 1) throw PAD;`,
      });
      return onFullDisk(stage, 100, () => stage.deploy(model));
    },
  },
  {
    name: "its transfer is torn, and again, until the network is well",
    expected: passed,
    serves: "new",
    answersMeanwhile: true,
    release: async (stage, name) => {
      const model = await stage.model(name, {
        module: `const PAD = "${"x".repeat(2_000_000)}"; if (PAD.length === 1) throw PAD;`,
      });
      const ended = { value: undefined as Promise<Ended> | undefined };
      await filtered(stage, resetAfter(await storePort(stage), 500), async () => {
        ended.value = stage.deploy(model);
        await sleep(4000);
      });
      return ended.value as Promise<Ended>;
    },
  },
  {
    name: "the network to the store is cut during its switch",
    telling: true,
    expected: passed,
    serves: "new",
    answersMeanwhile: true,
    release: async (stage, name) => {
      const port = await storePort(stage);
      const model = await stage.model(name, { load: LONG_LOAD });
      const deployed = stage.deploy(model);
      await stage.atPhase("load", () => filtered(stage, dropAll(port), () => deployed));
      return deployed;
    },
  },
  ...killedDeployer,
  {
    name: "two deployers at once",
    expected: { exitCode: 7, code: "E_LOCKED", reason: /deploy/ },
    serves: "new",
    answersMeanwhile: true,
    release: async (stage, name) => {
      const [winner, other] = [await stage.model(name), await stage.model(`${name}-other`)];
      const { promise: locked, resolve } = Promise.withResolvers<void>();
      const first = stage.deploy(winner, { onLine: () => resolve() });
      await locked;
      const second = await stage.deploy(other);
      const { exitCode, result } = await first;
      if (exitCode !== 0) throw new Error(`the first fails: ${JSON.stringify(result)}`);
      return second;
    },
  },
  {
    name: "the queue is restarted meanwhile",
    expected: passed,
    serves: "new",
    answersMeanwhile: true,
    release: meanwhile("load", ({ guest }) => guest.inGuest("systemctl", "restart", "slipway-queue.service"), {
      load: LONG_LOAD,
    }),
  },
  ...killedAgent,
  {
    name: "a runtime is killed while it loads it",
    expected: kept(/step load: a runtime went away while it loaded/),
    serves: "old",
    release: meanwhile(
      "load",
      async (stage) => {
        await sleep(300);
        await stage.kill("slipway-runtime@default-0.service");
      },
      { load: LONG_LOAD },
    ),
  },
  {
    name: "what serves takes its runtimes down, and the release before is wanted back",
    expected: passed,
    serves: "old",
    prepare: servesAiling,
    release: whileAiling((stage) => stage.rollBack()),
  },
  {
    name: "what serves takes its runtimes down, and a mended one is released",
    expected: passed,
    serves: "new",
    answersMeanwhile: true,
    prepare: servesAiling,
    release: whileAiling(async (stage, name) => stage.deploy(await stage.model(name))),
  },
  {
    name: "the host is rebooted meanwhile (the load rests until it is back)",
    expected: { exitCode: [0, 6, 8] },
    serves: "either",
    answersMeanwhile: true,
    release: async (stage, name) => {
      const model = await stage.model(name, { load: LONG_LOAD });
      const deployed = stage.deploy(model);
      await stage.atPhase("load", async () => {
        await stage.load.pause();
        await stage.guest.reboot();
      });
      const ready = async () =>
        (await fetch(`${stage.url}/v2/health/ready`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined))
          ?.ok || undefined;
      await waitFor("the host to serve again", ready, { timeoutMs: 90_000, intervalMs: 200 });
      const ended = await deployed;
      stage.load.resume();
      return ended;
    },
  },
  {
    name: "needs an operator that there is not",
    telling: true,
    expected: { exitCode: 2, code: "E_MODEL_INVALID", reason: /Unheard/ },
    serves: "old",
    release: async (stage, name) => {
      const nodes = [{ op: "Unheard", inputs: ["x"], output: "y" }];
      return stage.deploy(await stage.file(`${name}.onnx`, onnxFile({ nodes, features: 2, width: 2 })));
    },
  },
];
