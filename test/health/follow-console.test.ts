import { describe, expect, it } from "vitest";
import { formatJournalLine, type JournalEntry } from "../../src/guest/journal.ts";
import { ConsoleRefused } from "../../src/health/console-texts.ts";
import { consoleAsWritten, journalAsWritten } from "../../src/health/follow-console.ts";

const at = "2026-01-02T03:04:05.000Z";
const began = (step: string): JournalEntry => ({ type: "step", at, step, state: "start" });
const line = (boot: string, seq: number, step: string) => `${formatJournalLine({ boot, seq, entry: began(step) })}\n`;

const firstPauseMs = 20;

/** A console that shows the texts one after the other, then ends the following: `signal` is what does. */
function shows(...texts: (string | Error)[]) {
  const end = new AbortController();
  const readConsole = async () => {
    const text = texts.shift();
    if (texts.length === 0) end.abort();
    if (text instanceof Error) throw text;
    return text ?? "";
  };
  return { readConsole, signal: end.signal, firstPauseMs };
}

async function all<T>(found: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of found) list.push(one);
  return list;
}

const steps = async (...texts: (string | Error)[]) =>
  (await all(journalAsWritten(shows(...texts)))).map(
    ({ boot, entry }) => `${boot} ${"step" in entry ? entry.step : ""}`,
  );

describe("a host's journal, followed", () => {
  it("comes line by line and once, over boots, noise, a line that was cut and a head that is gone", async () => {
    const half = line("b0", 2, "model").slice(0, 40);
    const kernel = `[  1.0] eth0: ${line("b1", 1, "units")}`;
    expect(
      await steps(
        line("b0", 1, "queue") + half,
        line("b0", 1, "queue") + line("b0", 2, "model"),
        line("b0", 2, "model") + kernel,
        `${kernel}\x1b[31mslipway/1 b1 9 {"type":"step"} \x07 slipway/1 b1 3 {{{\n${line("b1", 2, "gate")}`,
      ),
    ).toEqual(["b0 queue", "b0 model", "b1 units", "b1 gate"]);
  });

  it("goes on over a cloud that fails now and then, and ends with what it says when it keeps refusing", async () => {
    const broken = new Error("503");
    expect(await steps(line("b0", 1, "queue"), broken, broken, line("b0", 2, "model"))).toEqual([
      "b0 queue",
      "b0 model",
    ]);
    const refused = new Error("403 Policy does not allow it");
    const never = all(
      journalAsWritten({
        readConsole: () => Promise.reject(refused),
        signal: new AbortController().signal,
        firstPauseMs,
      }),
    );
    await expect(never).rejects.toSatisfy((error) => error instanceof ConsoleRefused && error.cause === refused);
  });

  it("begins with the last lines of the log, if so asked", async () => {
    const text = line("b0", 1, "queue") + line("b0", 2, "model");
    const end = shows(text, text + line("b0", 3, "gate"));
    const found = await all(journalAsWritten({ ...end, lines: 1 }));
    expect(found.map(({ seq }) => seq)).toEqual([2, 3]);
    const none = await all(journalAsWritten({ ...shows(text, text + line("b0", 3, "gate")), lines: 0 }));
    expect(none.map(({ seq }) => seq)).toEqual([3]);
  });
});

describe("a console log, followed", () => {
  it("comes in whole lines, each once, and says where it does not go on", async () => {
    const boot = "the first boot, with a text that is long enough to be known again when the head is gone\n";
    const looks = shows(`${boot}logi`, `${boot}login:\n`, "login:\nanew\n");
    expect(await all(consoleAsWritten(looks))).toEqual([
      { text: boot, gap: false },
      { text: "login:\n", gap: false },
      { text: "login:\nanew\n", gap: true },
    ]);
  });

  it("does not begin again when the log is hidden for a moment", async () => {
    const text = "a line\n";
    expect(await all(consoleAsWritten(shows("", text, "", text, `${text}another\n`)))).toEqual([
      { text, gap: false },
      { text: "another\n", gap: false },
    ]);
  });

  it("ends at the signal", async () => {
    const end = new AbortController();
    const found: string[] = [];
    for await (const { text } of consoleAsWritten({ readConsole: async () => "a\n", signal: end.signal })) {
      found.push(text);
      end.abort();
    }
    expect(found).toEqual(["a\n"]);
  });
});
