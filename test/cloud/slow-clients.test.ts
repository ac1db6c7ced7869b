import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Listener, listen } from "../../src/cloud/http/listen.ts";

const patience = { headersMs: 200, bodyMs: 200, bytesPerSecond: 500 };

let listener: Listener;
beforeAll(async () => {
  listener = await listen("127.0.0.1", 0, patience);
  listener.serve((request, response) => {
    if (request.url === "/early") return void response.end("early");
    const hash = createHash("md5");
    request.on("data", (part: Buffer) => hash.update(part)).on("end", () => response.end(hash.digest("hex")));
  });
});
afterAll(() => listener.close());

/** Sends the parts, one each `everyMs`, until the server hangs up; what it said by then. */
async function trickle(parts: string[], everyMs: number): Promise<string> {
  const socket: Socket = connect(listener.port, "127.0.0.1");
  let said = "";
  const closed = new Promise<void>((resolve) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      said += text;
    });
    socket.on("error", () => undefined).on("close", () => resolve());
  });
  for (const part of parts) {
    if (socket.destroyed || !socket.writable) break;
    socket.write(part);
    await sleep(everyMs);
  }
  socket.end();
  await closed;
  return said;
}

describe("a client that trickles", () => {
  const head = (length: number, path = "/") => `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

  it("its headers is told 408 and cut off, while others are served", async () => {
    const slow = trickle(["PUT / HTTP/1.1\r\n", ...Array.from({ length: 400 }, () => "X-A: b\r\n")], 20);
    const other = await fetch(`http://127.0.0.1:${listener.port}/`, { method: "PUT", body: "whole" });
    expect(await other.text()).toBe(createHash("md5").update("whole").digest("hex"));
    expect(await slow).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  });

  it("its body is told 408 and cut off", async () => {
    expect(await trickle([head(100_000), ...Array.from({ length: 400 }, () => "x")], 20)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("its body after the answer is cut off without a second answer", async () => {
    const said = await trickle([head(100_000, "/early"), ...Array.from({ length: 400 }, () => "x")], 20);
    expect(said.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(said).toContain("early");
  });

  it("a body that comes steadily is read to its end, however long it takes", async () => {
    const parts = Array.from({ length: 40 }, () => "x".repeat(100));
    const said = await trickle([head(4000), ...parts], 25);
    expect(said).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(said).toContain(createHash("md5").update(parts.join("")).digest("hex"));
  });
});
