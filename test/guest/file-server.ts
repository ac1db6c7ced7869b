import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { digestOf } from "../../src/common/digest.ts";

/** A server of files by path on loopback, with ETags, that lasts as long as the test. */
export async function serveFiles(
  files: Map<string, Uint8Array | string>,
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): Promise<string> {
  const server = createServer((request, response) => {
    if (intercept(request, response)) return;
    const content = files.get((request.url ?? "/").slice(1));
    if (content === undefined) return void response.writeHead(404).end("no such object");
    const etag = `"${digestOf(content)}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
    response.writeHead(200, { etag }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
