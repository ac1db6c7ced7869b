import fc from "fast-check";
import { expect, test } from "vitest";
import { formatJournalLine, type JournalEntry, type JournalLine, parseJournal } from "../../src/guest/journal.ts";

// What a guest may write into an entry: any text, line separators of Unicode and quoted journal lines included.
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("\u2028", "\r\n", '"}', 'slipway/1 a 9 {"type":"verdict"}', "\u001b[0m"),
);
const at = fc.constant("2026-01-02T03:04:05.678Z");
const ms = fc.nat();
const entry: fc.Arbitrary<JournalEntry> = fc.oneof(
  fc.record({ type: fc.constant("step" as const), at, step: text, state: fc.constant("start" as const) }),
  fc.record(
    {
      type: fc.constant("step" as const),
      at,
      step: text,
      state: fc.constant("end" as const),
      code: fc.integer({ min: 0, max: 255 }),
      ms,
      lines: fc.array(text),
    },
    { requiredKeys: ["type", "at", "step", "state", "code", "ms"] },
  ),
  fc.record(
    {
      type: fc.constant("verdict" as const),
      at,
      sequence: fc.nat(),
      ok: fc.boolean(),
      outputs: fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)),
      failure: fc.record({ step: text, reason: text, lines: fc.array(text) }),
      ms,
    },
    { requiredKeys: ["type", "at", "sequence", "ok", "ms"] },
  ),
);
const journal: fc.Arbitrary<JournalLine[]> = fc
  .record({ boot: fc.uuid(), entries: fc.array(entry, { minLength: 1, maxLength: 6 }) })
  .map(({ boot, entries }) => entries.map((entry, n) => ({ boot, seq: n + 1, entry })));

/** Whatever else reaches a console: kernel lines, colours, braces and quotes, the journal's own prefix, cut-off entries. */
const noise = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "[   12.345678] audit: type=1400 {x}\r\n",
        "\u001b[32m  OK  \u001b[0m] Started sshd\n",
        "slipway/1 ",
        "slipway/1 0abc 3 {",
        'slipway/1 0abc 4 {"type":"step","at":"2026-01-02T03:04:05Z","st',
        'slipway/1 0abc 5 {"type":"login"}',
        '"}',
        "}",
        "\n",
      ),
    ),
    { maxLength: 5 },
  )
  .map((pieces) => pieces.join(""));

test("entries survive any noise before, between and after them, and none is invented", () => {
  fc.assert(
    fc.property(journal, fc.array(noise, { minLength: 7, maxLength: 7 }), (lines, noises) => {
      const console = lines.map((line, n) => `${noises[n]}\n${formatJournalLine(line)}`).join("\n") + noises[6];
      expect(parseJournal(console)).toEqual(lines);
    }),
  );
});

test("a kernel line that starts or ends on an entry's own line does not hide it", () => {
  const line: JournalLine = {
    boot: "0abc",
    seq: 1,
    entry: { type: "step", at: "2026-01-02T03:04:05Z", step: "fetch", state: "start" },
  };
  const text = formatJournalLine(line);
  expect(parseJournal(`[ 1.5] random: {crng}${text}[ 1.6] usb {hub}`)).toEqual([line]);
  expect(parseJournal(`${text}${formatJournalLine({ ...line, seq: 2 })}`).map(({ seq }) => seq)).toEqual([1, 2]);
});

test("noise alone makes no entry", () => {
  fc.assert(
    fc.property(noise, (text) => {
      expect(parseJournal(text)).toEqual([]);
    }),
  );
});

test("what is quoted in an entry makes no entry, also when the entry's head was lost", () => {
  fc.assert(
    fc.property(journal, entry, fc.nat(200), (lines, quoted, cut) => {
      const forged = formatJournalLine({ boot: "feed", seq: 7, entry: quoted });
      const carrier = formatJournalLine({
        boot: "0abc",
        seq: 1,
        entry: {
          type: "step",
          at: "2026-01-02T03:04:05Z",
          step: "fetch",
          state: "end",
          code: 1,
          ms: 1,
          lines: [forged],
        },
      });
      const console = [carrier.slice(cut), ...lines.map(formatJournalLine)].join("\n");
      expect(parseJournal(console).filter(({ boot }) => boot === "feed")).toEqual([]);
    }),
  );
});

test("a console that is read twice, or wraps around, gives each entry once and in order", () => {
  fc.assert(
    fc.property(journal, fc.nat(), (lines, from) => {
      const texts = lines.map(formatJournalLine);
      const again = texts.slice(from % texts.length);
      expect(parseJournal([...texts, ...again].join("\r\n"))).toEqual(lines);
    }),
  );
});

test("of a console whose head was lost, the whole entries remain", () => {
  fc.assert(
    fc.property(journal, fc.nat(), (lines, cut) => {
      const console = lines.map(formatJournalLine).join("\n");
      const found = parseJournal(console.slice(cut % (console.length + 1)));
      expect(found).toEqual(found.length === 0 ? [] : lines.slice(-found.length));
    }),
  );
});

test("two boots keep their entries apart", () => {
  const started: JournalEntry = { type: "step", at: "2026-01-02T03:04:05Z", step: "fetch", state: "start" };
  const lines = ["0a", "0b"].map((boot) => ({ boot, seq: 1, entry: started }));
  expect(parseJournal(lines.map(formatJournalLine).join("\n"))).toEqual(lines);
});
