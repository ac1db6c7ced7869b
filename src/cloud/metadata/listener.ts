import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { messageOf } from "../../common/errors.ts";
import { answerTo, bodyLimit, type MetadataAnswer } from "./answer.ts";
import { type AskerParts, askerAt } from "./asker.ts";

/** Answers the guests of a network, each of itself. Whom a request's headers name is not looked at. */
export function metadataListener(
  parts: AskerParts & { log: (line: string) => void },
): (networkId: string) => RequestListener {
  return (networkId) => (request, response) => {
    const address = request.socket.remoteAddress ?? "";
    beginningOf(request).then(
      (body) => {
        const { method = "GET", url: target = "/", headers } = request;
        send(request, response, () =>
          answerTo(askerAt(parts, networkId, address), { method, target, accept: headers.accept, body }),
        );
      },
      () => undefined, // the guest has gone
    );
  };

  function send(request: IncomingMessage, response: ServerResponse, answer: () => MetadataAnswer): void {
    let given: MetadataAnswer;
    try {
      given = answer();
    } catch (error) {
      parts.log(`metadata for ${request.socket.remoteAddress}: ${messageOf(error)}`);
      given = { status: 500, content: "" };
    }
    const content = request.method === "HEAD" ? "" : given.content;
    response.writeHead(given.status, {
      ...(given.type === undefined ? {} : { "content-type": given.type }),
      "content-length": Buffer.byteLength(content),
      ...(request.complete ? {} : { connection: "close" }),
    });
    response.end(content);
    if (!request.complete) response.once("finish", () => request.destroy());
  }
}

/** A request's body, or as much of it as is looked at. @throws Error where the connection ends before */
function beginningOf(request: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    request.on("data", (piece: Buffer) => {
      if (length >= bodyLimit) return;
      pieces.push(piece);
      length += piece.length;
      if (length >= bodyLimit) resolve(Buffer.concat(pieces));
    });
    request.once("end", () => resolve(Buffer.concat(pieces)));
    request.once("error", reject);
    request.once("close", () => reject(new Error("the connection ended")));
  });
}
