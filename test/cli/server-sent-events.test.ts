import fc from "fast-check";
import { expect, it } from "vitest";
import { type ServerSentEvent, serverSentEvents } from "../../src/cli/training/server-sent-events.ts";

async function eventsOf(pieces: Uint8Array[]): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(
    (async function* () {
      yield* pieces;
    })(),
  ))
    events.push(event);
  return events;
}

const text =
  'retry: 2000\n\n: still here\n\nid: 3\nevent: log\ndata: {"line":"Öfen 🔥"}\n\ndata:one\r\ndata: two\r\n\r\nid\ndata: x\n\nevent: lost\ndata: cut';
const expected = [
  { id: "3", event: "log", data: '{"line":"Öfen 🔥"}' },
  { id: "3", event: "message", data: "one\ntwo" },
  { id: "", event: "message", data: "x" },
];

it("events come out whole, wherever the stream is cut", async () => {
  const bytes = new TextEncoder().encode(text);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: bytes.length }), { maxLength: 20 }), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      expect(await eventsOf(pieces)).toEqual(expected);
    }),
  );
});
