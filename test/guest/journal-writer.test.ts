import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommandError } from "../../src/common/process.ts";
import { parseJournal } from "../../src/guest/journal.ts";
import { JournalWriter, StepFailed } from "../../src/guest/journal-writer.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

function journal(boot = "b00") {
  const folder = temporaryFolder();
  const [file, console] = [join(folder, "log/journal.log"), join(folder, "console")];
  writeFileSync(console, "");
  const open = (as = boot) => new JournalWriter(file, console, as);
  return { open, file, console, lines: () => parseJournal(readFileSync(file, "utf8")) };
}

describe("JournalWriter", () => {
  it("journals a step's start and end to the file and to the console", async () => {
    const { open, file, console, lines } = journal();
    expect(await open().step("model", async () => 42)).toBe(42);
    expect(lines()).toMatchObject([
      { boot: "b00", seq: 1, entry: { type: "step", step: "model", state: "start" } },
      { boot: "b00", seq: 2, entry: { type: "step", step: "model", state: "end", code: 0 } },
    ]);
    expect(readFileSync(console, "utf8")).toBe(readFileSync(file, "utf8"));
  });

  it("journals a failure with status and cleaned last lines, and throws it", async () => {
    const { open, lines } = journal();
    const noise = Array.from({ length: 50 }, (_, index) => `line ${index}`).join("\n");
    const failing = open().step("queue", () => {
      throw new CommandError(
        "apt-get",
        ["update"],
        "exit status 100",
        100,
        "",
        `${noise}\n\u001b[31mE: no "lock"\u0007`,
      );
    });
    const failure = await failing.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepFailed);
    expect(failure).toMatchObject({ step: "queue", message: "apt-get update: exit status 100" });
    const end = lines()[1]?.entry;
    expect(end).toMatchObject({ code: 100, lines: (failure as StepFailed).lines });
    expect((failure as StepFailed).lines).toHaveLength(20);
    expect((failure as StepFailed).lines.at(-1)).toBe(' [31mE: no "lock"');
  });

  it("goes on where another writer of the same boot stopped, and begins anew after a reboot", () => {
    const { open, lines } = journal();
    const first = open();
    first.verdict({ sequence: 1, ok: true, ms: 1 });
    open().verdict({ sequence: 2, ok: true, ms: 1 });
    first.verdict({ sequence: 3, ok: true, ms: 1 });
    open("b01").verdict({ sequence: 4, ok: true, ms: 1 });
    expect(lines().map(({ boot, seq }) => `${boot} ${seq}`)).toEqual(["b00 1", "b00 2", "b00 3", "b01 1"]);
  });

  it("does without a console", async () => {
    const file = join(temporaryFolder(), "journal.log");
    const writer = new JournalWriter(file, "/nonexistent/console", "b00");
    await writer.step("model", async () => undefined);
    expect(parseJournal(readFileSync(file, "utf8"))).toHaveLength(2);
  });
});
