import type { Socket } from "node:net";

const answers: Record<string, { status: string; code: string; message: string }> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: "408 Request Timeout",
    code: "REQUEST_TIMEOUT",
    message: "the headers did not arrive in time",
  },
  HPE_HEADER_OVERFLOW: {
    status: "431 Request Header Fields Too Large",
    code: "HEADERS_TOO_LARGE",
    message: "the headers are larger than 16 KiB",
  },
};
const malformed = { status: "400 Bad Request", code: "REQUEST_MALFORMED", message: "this is not HTTP" };

/** Answers, once, what never became a request, and hangs up. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  // who did not get as far as TLS does not understand an answer
  if (error.code?.startsWith("ERR_SSL_") || error.code?.startsWith("ERR_TLS_")) return void socket.destroy();
  const { status, code, message } = answers[error.code ?? ""] ?? malformed;
  const body = JSON.stringify({ error: { code, message } });
  const head = ["content-type: application/json; charset=utf-8", `content-length: ${body.length}`, "connection: close"];
  if (socket.writable) socket.write(`HTTP/1.1 ${[status, ...head].join("\r\n")}\r\n\r\n${body}`);
  socket.destroySoon();
}
