import { writeFile } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { warnUnlessServerIsDurable } from "../../src/serving/durable/durability.ts";
import { connectQueue } from "../../src/serving/jobs/connection.ts";
import { queueAbsent, startQueueServer } from "../support/queue-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A connection to a server of the test's own, and what is warned of it. */
async function warningsOf(persistent: boolean | "always", before?: (password: string, port: number) => Promise<void>) {
  const server = await startQueueServer(temporaryFolder(), { persistent });
  onTestFinished(() => server.stop());
  await before?.(server.password, server.queue.port);
  const warnings: { msg: string; is?: string; shall?: string; reason?: string }[] = [];
  const log = pino({}, { write: (line: string) => void warnings.push(JSON.parse(line)) });
  const connection = await connectQueue(server.queue, { blocking: false });
  onTestFinished(() => connection.disconnect());
  connection.on("error", () => undefined);
  warnUnlessServerIsDurable(connection, log);
  return { connection, warnings };
}

describe.skipIf(queueAbsent)(`a queue's server of durable models${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  it.each([
    [false, "appendonly no, appendfsync everysec", "appendonly yes, appendfsync always"],
    [true, "appendfsync everysec", "appendfsync always"],
  ])("is told of where it does not write at once (a log of its appends: %s)", async (persistent, is, shall) => {
    const { warnings } = await warningsOf(persistent);
    await waitFor("the warning", async () => warnings.length > 0 || undefined, { timeoutMs: 10_000 });
    expect(warnings).toEqual([expect.objectContaining({ level: 40, is, shall })]);
  });

  it("is not where it does", async () => {
    const { connection, warnings } = await warningsOf("always");
    await waitFor("the connection", async () => connection.status === "ready" || undefined, { timeoutMs: 10_000 });
    await connection.ping(); // answered after what was asked before
    await turn();
    expect(warnings).toEqual([]);
  });

  it("is told of where it says nothing of itself, as a managed one", async () => {
    const { warnings } = await warningsOf("always", async (password, port) => {
      const passwordFile = `${temporaryFolder()}/password`;
      await writeFile(passwordFile, password);
      const owner = await connectQueue({ host: "127.0.0.1", port, passwordFile }, { blocking: true });
      await owner.call("ACL", "SETUSER", "default", "-config");
      owner.disconnect();
    });
    await waitFor("the warning", async () => warnings.length > 0 || undefined, { timeoutMs: 10_000 });
    expect(warnings).toEqual([expect.objectContaining({ level: 40, reason: expect.stringContaining("NOPERM") })]);
  });
});
