import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { switchModels } from "../../src/guest/exchange.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import { loadInTurn, runtimesThere } from "../../src/guest/releasing/loading.ts";
import { runtimeSocket } from "../../src/serving/config.ts";
import { encodeFrame, FrameKind, FrameReader } from "../../src/serving/runtime/frames.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const model = { name: "m", version: "2", digest: `sha256:${"0".repeat(64)}` } as const;
const hello = { id: "x", group: "default", onnxruntime: "none", provider: "cpu", batchRows: 1, models: [] };

/** Runtimes on their sockets that do so to a command, `dieTwice` to the first two; of one that is away there is no socket. */
async function runtimesThat(...doing: ("answer" | "die" | "dieTwice" | "wait" | "away")[]) {
  const paths = guestPaths(temporaryFolder());
  mkdirSync(paths.runtimeDir, { recursive: true });
  mkdirSync(dirname(paths.serving), { recursive: true });
  const { runtimeDir, models: modelsDir } = paths;
  const runtimes = [{ name: "default", replicas: doing.length }];
  const names = { payload: "p", stack: "s", host: "h", generation: "g" };
  const frontend = { host: "127.0.0.1", port: 1 };
  writeFileSync(paths.serving, JSON.stringify({ ...names, frontend, runtimeDir, modelsDir, runtimes }));
  const commands = doing.map(() => 0);
  const servers = await Promise.all(
    doing.map(async (what, replica) => {
      const server: Server = createServer((peer) => {
        const reader = new FrameReader();
        peer.on("error", () => undefined);
        peer.write(encodeFrame(FrameKind.hello, 0, hello));
        peer.on("data", (chunk) => {
          for (const { id } of reader.push(chunk)) {
            commands[replica] = (commands[replica] ?? 0) + 1;
            const dies = what === "die" || (what === "dieTwice" && commands[replica] <= 2);
            if (dies) peer.destroy();
            else if (what !== "wait") peer.write(encodeFrame(FrameKind.result, id, { failed: [] }));
          }
        });
      });
      const socket = runtimeSocket(paths, "default", replica);
      if (what !== "away") await new Promise<void>((resolve) => server.listen(socket, resolve));
      return server;
    }),
  );
  onTestFinished(() => servers.forEach((server) => void server.close()));
  return { paths, commands };
}

it("a model that takes a runtime down while it is loaded meets no second one", async () => {
  const { paths, commands } = await runtimesThat("die", "answer");
  const runtimes = await runtimesThere({ paths }, "m");
  expect(runtimes).toHaveLength(2);
  await expect(loadInTurn(runtimes, { models: [model] })).rejects.toThrow("a runtime went away while it loaded m 2");
  expect(commands).toEqual([1, 0]);
});

it("a runtime that goes away by itself is asked again, and starts with what it is to load, a few times", async () => {
  const { paths, commands } = await runtimesThat("dieTwice", "answer");
  const starting: string[] = [];
  const insist = async (runtime: string) => void starting.push(runtime);
  await loadInTurn(await runtimesThere({ paths }, "m"), { models: [model], insist });
  expect(commands).toEqual([3, 1]);
  expect(starting).toEqual(["default-0", "default-0", "default-0", "default-1"]);

  const hopeless = await runtimesThat("die");
  const runtimes = await runtimesThere({ paths: hopeless.paths }, "m");
  await expect(loadInTurn(runtimes, { models: [model], insist })).rejects.toThrow("went away while it loaded m 2");
  expect(hopeless.commands).toEqual([6]);
});

it("a host without a runtime can load nothing", async () => {
  const { paths } = await runtimesThat("away");
  const runtimes = await runtimesThere({ paths }, "m");
  await expect(loadInTurn(runtimes, { models: [model] })).rejects.toThrow("there is no runtime that could load m 2");
});

it("a runtime that is busy is told apart from those that switch at once", async () => {
  const { paths, commands } = await runtimesThat("answer", "wait");
  const [switched, late] = [0, 1].map((replica) => runtimeSocket(paths, "default", replica));
  expect(await switchModels({ paths }, 200)).toEqual({ switched: [switched], late: [late] });
  expect(commands).toEqual([1, 1]);
});
