import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** How a source is asked. */
interface SourceRequest {
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/**
 * Asks the stack's source for what is below its URL: over HTTP, or in the folder of this host that `slipway` pushes into (`file:`). A
 * file that is not there is a 404, as from a server.
 */
export async function fetchSource(url: string, request: SourceRequest): Promise<Response> {
  if (!url.startsWith("file:")) return fetch(url, request);
  const path = fileURLToPath(url);
  try {
    await access(path);
  } catch {
    return new Response(null, { status: 404 });
  }
  const content = createReadStream(path, { signal: request.signal });
  return new Response(Readable.toWeb(content) as ReadableStream, { status: 200 });
}
