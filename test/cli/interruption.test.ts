import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { interruption } from "../../src/cli/interruption.ts";

let before: NodeJS.SignalsListener[];
beforeEach(() => {
  before = process.listeners("SIGINT") as NodeJS.SignalsListener[];
  vi.useFakeTimers();
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  for (const listener of process.listeners("SIGINT") as NodeJS.SignalsListener[]) {
    if (!before.includes(listener)) process.off("SIGINT", listener);
  }
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("takes the same Ctrl-C from a terminal and its launchers for one, and a later one for a second", () => {
  const exit = vi.spyOn(process, "exit").mockReturnValue(undefined as never);
  const signal = interruption();
  expect(signal.aborted).toBe(false);
  for (let source = 0; source < 3; source++) process.emit("SIGINT");
  expect(signal.reason).toMatchObject({ code: "E_INTERRUPTED", exitCode: 130 });
  expect(exit).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  process.emit("SIGINT");
  expect(exit).toHaveBeenCalledWith(130);
});
