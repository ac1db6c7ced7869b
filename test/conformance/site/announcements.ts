import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { messageOf } from "../../../src/common/errors.ts";

/** Where programs say what they do next. */
export interface Announcements {
  /** `POST /begin` with a call's name, answered when the cloud is at rest; `POST /end` with what came of it. */
  url: string;
  close(): Promise<void>;
}

/** Takes them on a free port of 127.0.0.1. */
export async function listenForAnnouncements(listener: {
  begin(name: string): Promise<void>;
  end(outcome: string): void;
}): Promise<Announcements> {
  const server = createServer((request, response) => {
    const told = text(request).then((said) => (request.url === "/begin" ? listener.begin(said) : listener.end(said)));
    told.then(
      () => response.end(),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
