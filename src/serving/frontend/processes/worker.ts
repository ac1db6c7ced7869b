import type { Meter, Reading } from "../../metrics/meter.ts";
import type { Hub } from "./hub.ts";
import type { FromPrimary, FromWorker, Question } from "./messages.ts";

const TELL_MS = 250;

/** The hub as a frontend's process reaches it: through the channel to the one that started it. */
export function remoteHub(meter: Meter): Hub & { up: () => void; close: () => Promise<void> } {
  const open = new Map<number, (answer: unknown) => void>();
  let nextId = 1;
  const ask = <T>(question: Question) =>
    new Promise<T>((resolve) => {
      const id = nextId++;
      open.set(id, resolve as (answer: unknown) => void);
      void send({ kind: "question", id, question });
    });
  const tell = async () => {
    const readings = meter.takeCounts();
    if (readings.length > 0) await send({ kind: "counts", readings });
  };
  const takeAll = async (id: number) => {
    const gauges = await meter.readGauges(); // first: what is taken must not wait
    await send({ kind: "taken", id, counts: meter.takeCounts(), gauges });
  };
  process.on("message", (message: FromPrimary) => {
    if (message.kind === "take") {
      void takeAll(message.id);
    } else if (message.kind === "answer") {
      open.get(message.id)?.(message.answer);
      open.delete(message.id);
    }
  });
  const timer = setInterval(() => void tell(), TELL_MS).unref();
  return {
    sessionKey: async () => Buffer.from(await ask<string>({ what: "session-key" }), "base64"),
    figures: () => ask<Reading[]>({ what: "figures" }),
    hit: (key, windowMs) => ask({ what: "hit", key, windowMs }),
    up: () => void send({ kind: "up" }),
    close: async () => {
      clearInterval(timer);
      await tell();
    },
  };
}

/** Resolves when the message is on its way: the process may end then. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, {}, () => resolve());
    else resolve();
  });
}
