import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { connectSsh } from "../../src/remote/connection.ts";
import { makeKeyPair } from "../../src/remote/key-pair.ts";
import { type Seat, sitAt } from "../../src/remote/terminal.ts";
import { SshHost } from "./ssh-host.ts";

it("a command without end ends when its seat is left, with the reason for that", async () => {
  const login = makeKeyPair();
  const host = await SshHost.start();
  const target = { host: "127.0.0.1", port: host.port, user: "debian", name: "server-g1", hostKeys: host.keys };
  const connection = await connectSsh({ ...target, identities: [{ key: login.private }] });
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const left = new AbortController();
  streams.stdout.once("data", () => left.abort());
  const sat = sitAt(connection, "yes", { ...streams, env: {} } as unknown as Seat, left.signal);
  expect(await sat.catch((error: unknown) => error)).toBe(left.signal.reason);
  connection.close();
  await host.stop();
});
