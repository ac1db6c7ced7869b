import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { loadInTurn, switchModels } from "../../src/guest/exchange.ts";
import { guestPaths } from "../../src/guest/paths.ts";
import { runtimeSocket } from "../../src/serving/config.ts";
import { encodeFrame, FrameKind, FrameReader } from "../../src/serving/runtime/frames.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const model = { name: "m", version: "2", digest: `sha256:${"0".repeat(64)}` } as const;
const hello = { id: "x", group: "default", onnxruntime: "none", provider: "cpu", batchRows: 1, models: [] };

/** Runtimes on their sockets that do so to a command; of one that is away there is no socket. */
async function runtimesThat(...doing: ("answer" | "die" | "wait" | "away")[]) {
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
            (commands[replica] as number)++;
            if (what === "answer") peer.write(encodeFrame(FrameKind.result, id, { failed: [] }));
            if (what === "die") peer.destroy();
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
  await expect(loadInTurn({ paths }, [model])).rejects.toThrow("a runtime went away while it loaded m 2");
  expect(commands).toEqual([1, 0]);
});

it("a host without a runtime can load nothing", async () => {
  const { paths } = await runtimesThat("away");
  await expect(loadInTurn({ paths }, [model])).rejects.toThrow("there is no runtime that could load m 2");
});

it("a runtime that is busy is told apart from those that switch at once", async () => {
  const { paths, commands } = await runtimesThat("answer", "wait");
  const [switched, late] = [0, 1].map((replica) => runtimeSocket(paths, "default", replica));
  expect(await switchModels({ paths }, 200)).toEqual({ switched: [switched], late: [late] });
  expect(commands).toEqual([1, 1]);
});
