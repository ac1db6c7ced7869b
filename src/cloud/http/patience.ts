import type { IncomingMessage, ServerResponse } from "node:http";

/** How slow a client may be. As Debian's Apache has it, which stands in front of real services: `RequestReadTimeout body=20,MinRate=500`. */
export interface Patience {
  /** Milliseconds for a request's line and headers. */
  headersMs: number;
  /** Milliseconds for a body's beginning. */
  bodyMs: number;
  /** Bytes that buy a body a second more. */
  bytesPerSecond: number;
}

export const usualPatience: Patience = { headersMs: 20_000, bodyMs: 20_000, bytesPerSecond: 500 };

/**
 * Ends the connection of a request whose body trickles in, so that slow clients hold nothing for ever. Bodies of any length pass that come
 * faster than that.
 */
export function watchBody(request: IncomingMessage, response: ServerResponse, patience: Patience): void {
  const { bodyMs, bytesPerSecond } = patience;
  const { socket } = request;
  const [begun, before] = [performance.now(), socket.bytesRead];
  const look = () => {
    if (request.complete || request.destroyed) return;
    const due = begun + bodyMs + ((socket.bytesRead - before) / bytesPerSecond) * 1000;
    const left = due - performance.now();
    if (left > 0) timer = setTimeout(look, Math.min(left + 1, bodyMs));
    else {
      // as Node itself does where headers are late
      if (!response.headersSent) socket.write("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
      socket.destroySoon();
    }
  };
  let timer = setTimeout(look, bodyMs);
  request.once("close", () => clearTimeout(timer));
  request.once("end", () => clearTimeout(timer));
}

export function hasBody({ headers }: Pick<IncomingMessage, "headers">): boolean {
  return (headers["content-length"] ?? "0") !== "0" || headers["transfer-encoding"] !== undefined;
}
