import { readFile } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import { listenOnLastingPort } from "../../src/cloud/http/lasting-port.ts";
import { type Listener, listen } from "../../src/cloud/http/listen.ts";

const open: Listener[] = [];
afterEach(() => Promise.all(open.splice(0).map((listener) => listener.close())));

async function portOf(listening: Promise<Listener>): Promise<number> {
  const listener = await listening;
  open.push(listener);
  return listener.port;
}

describe("a port to stay on", () => {
  it("is none that connections leave from", async () => {
    const [first = 0] = (await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8")).split(/\s+/).map(Number);
    const ports = await Promise.all(Array.from({ length: 20 }, () => portOf(listenOnLastingPort("127.0.0.1"))));
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) {
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(first);
    }
  });

  it("is any other where all of them are taken, or connections leave from all", async () => {
    const taken = await portOf(listen("127.0.0.1", 0));
    expect(await portOf(listenOnLastingPort("127.0.0.1", [taken, taken + 1]))).not.toBe(taken);
    expect(await portOf(listenOnLastingPort("127.0.0.1", [20_000, 1024]))).toBeGreaterThan(0);
  });
});
