import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { isAlive } from "../../support/alive.ts";
import { queueAbsent, startQueueServer } from "../../support/queue-server.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { startProcess } from "../support.ts";

const support = fileURLToPath(new URL("../../support/queue-server.ts", import.meta.url));

describe.skipIf(queueAbsent)(`a queue server of a test's own${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  it("keeps what it was told over a SIGKILL, when it is to be persistent", async () => {
    const server = await startQueueServer(temporaryFolder(), { persistent: true });
    const { host, port } = server.queue;
    const client = new Redis({ host, port, password: server.password, maxRetriesPerRequest: 20 });
    onTestFinished(async () => {
      client.disconnect();
      await server.stop();
    });
    client.on("error", () => undefined);
    await client.set("kept", "yes");
    await server.stop("SIGKILL");
    await server.restart();
    expect(await client.get("kept")).toBe("yes");
  });

  it("ends with the process that started it, also a killed one", async () => {
    const folder = JSON.stringify(temporaryFolder());
    const script = `import { startQueueServer } from ${JSON.stringify(support)};
      console.log("pid", (await startQueueServer(${folder})).pid());
      setInterval(() => {}, 1000);`;
    const parent = startProcess(process.execPath, ["--input-type=module", "-e", script]);
    onTestFinished(async () => void (await parent.end("SIGKILL")));
    const pid = await waitFor("the server", async () => /pid (\d+)/.exec(parent.output())?.[1], { timeoutMs: 20_000 });
    expect(isAlive(Number(pid))).toBe(true);
    await parent.end("SIGKILL");
    await waitFor("its end", async () => !isAlive(Number(pid)) || undefined, { timeoutMs: 5000 });
  });
});
