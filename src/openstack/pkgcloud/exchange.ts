import type { Callback, Client } from "pkgcloud";
import { SlipwayError } from "../../common/errors.ts";
import type { Attempt } from "../session.ts";
import { endOf, type RawAnswer, rawAnswer } from "../transport.ts";

/** Starts one request with a method of the client, or with its generic call. */
export type Operation<C extends Client> = (client: C, callback: Callback) => void;

/** What is read of an answer at most: enough for thousands of servers and for every console log. */
const maxMebibytes = 64;

/**
 * Lets a client make its request, and takes the answer from the wire. What pkgcloud itself reads out of an answer is passed over: its
 * models lack fields and rename states, and for an answer that it does not understand it never calls back, or throws.
 * @throws TransportError where no whole answer comes within the limits; SlipwayError E_CLOUD_API for one that does not end
 */
export function exchangeOnce<C extends Client>(
  client: C,
  operation: Operation<C>,
  { endpoint, limits }: Attempt,
): Promise<RawAnswer> {
  const end = endOf(limits);
  const send = client._request.bind(client);
  return new Promise((resolve, reject) => {
    client._request = (options, _callback) => {
      const { method = "GET" } = options;
      let url = new URL(endpoint);
      const chunks: Buffer[] = [];
      let left = maxMebibytes * 2 ** 20;

      const running = send(options, (error, _body, response) => {
        end.signal.removeEventListener("abort", giveUp);
        if (response?.complete) resolve(rawAnswer(method, url, response, Buffer.concat(chunks)));
        else reject(end.reason(method, url, error ?? broken()));
      });
      function giveUp() {
        running?.abort();
        reject(end.reason(method, url, broken()));
      }
      if (running === undefined) return running; // refused before it was sent: the callback was told
      url = new URL(running.uri.href);
      running.on("data", (chunk) => {
        chunks.push(chunk);
        left -= chunk.length;
        if (left >= 0) return;
        running.abort();
        reject(new SlipwayError("E_CLOUD_API", `${method} ${url}: the answer has more than ${maxMebibytes} MiB`));
      });
      if (end.signal.aborted) giveUp();
      else end.signal.addEventListener("abort", giveUp);
      return running;
    };
    operation(client, () => undefined);
  });
}

/** What Node says of a connection that ends within an answer; the library under pkgcloud takes it for the answer's end. */
function broken(): NodeJS.ErrnoException {
  return Object.assign(new Error("the connection broke"), { code: "ECONNRESET" });
}
