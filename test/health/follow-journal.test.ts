import { expect, describe as group, it } from "vitest";
import { formatJournalLine, type JournalEntry } from "../../src/guest/journal.ts";
import { type FollowOptions, followJournal } from "../../src/health/follow-journal.ts";

const at = "2026-01-02T03:04:05.000Z";
const line = (seq: number, entry: JournalEntry, boot = "b0") => `${formatJournalLine({ boot, seq, entry })}\n`;
const began = (step: string): JournalEntry => ({ type: "step", at, step, state: "start" });
const verdict = (sequence: number, ok = true): JournalEntry => ({ type: "verdict", at, sequence, ok, ms: 5 });

/** A console that shows one more text at each look. */
function growing(...parts: string[]) {
  let shown = 0;
  return async () => parts.slice(0, ++shown).join("");
}

const follow = (options: FollowOptions) => followJournal({ firstPauseMs: 20, ...options });

group("following a host's journal", () => {
  it("reports every line once and ends with the verdict", async () => {
    const seen: number[] = [];
    const readConsole = growing("[ 0.1] kernel\n", line(1, began("queue")), line(2, verdict(3)));
    const end = await follow({
      readConsole,
      sequence: 3,
      timeoutMs: 20_000,
      onLine: ({ seq }) => seen.push(seq),
    });
    expect(end).toMatchObject({ ok: true, sequence: 3 });
    expect(seen).toEqual([1, 2]);
  });

  it("passes over the verdict on an earlier publication", async () => {
    const readConsole = growing(line(1, verdict(1)), line(2, verdict(2, false)));
    expect(await follow({ readConsole, sequence: 2, timeoutMs: 20_000 })).toMatchObject({
      ok: false,
      sequence: 2,
    });
  });

  it("believes the newest verdict of those that it finds", async () => {
    const readConsole = growing(line(1, verdict(2, false)) + line(2, began("model")) + line(3, verdict(2)));
    expect(await follow({ readConsole, sequence: 2, timeoutMs: 20_000 })).toMatchObject({ ok: true });
  });

  it("tells of the publication that it follows though a later one has come, and of the later where that is all", async () => {
    const both = growing(line(1, verdict(2, false)) + line(2, verdict(3)));
    expect(await follow({ readConsole: both, sequence: 2, timeoutMs: 20_000 })).toMatchObject({
      ok: false,
      sequence: 2,
    });
    const later = growing(line(1, verdict(1)), line(2, verdict(3)));
    expect(await follow({ readConsole: later, sequence: 2, timeoutMs: 20_000 })).toMatchObject({
      ok: true,
      sequence: 3,
    });
  });

  it("survives a console that fails now and then", async () => {
    let look = 0;
    const readConsole = async () => {
      look += 1;
      if (look < 3) throw new Error("503");
      return line(1, verdict(1));
    };
    expect(await follow({ readConsole, sequence: 1, timeoutMs: 20_000 })).toMatchObject({ ok: true });
  });

  it("gives up on a cloud that keeps refusing, so that the caller can probe", async () => {
    const readConsole = async () => Promise.reject(new Error("403 Forbidden"));
    expect(await follow({ readConsole, sequence: 1, timeoutMs: 60_000 })).toBeUndefined();
  });

  it("names the last step when the deadline passes", async () => {
    const readConsole = async () => line(1, began("model"));
    await expect(follow({ readConsole, sequence: 1, timeoutMs: 100 })).rejects.toMatchObject({
      code: "E_TIMEOUT",
      message: expect.stringContaining("step model began"),
    });
  });

  it("shows the console's last lines when the deadline passes", async () => {
    const readConsole = async () => "one\n\n  two \n";
    await expect(follow({ readConsole, sequence: 1, timeoutMs: 100 })).rejects.toMatchObject({
      code: "E_TIMEOUT",
      message: expect.stringContaining("nothing was heard of it"),
      details: ["one", "two"],
    });
  });

  it("ends soon when cloud-init did not get as far as the bootstrap, with its complaints", async () => {
    const failed =
      "cloud-init[76]: cc_scripts_user.py[WARNING]: Failed to run module scripts-user (scripts in /var/lib)";
    const readConsole = async () =>
      `[ OK ] Started it\n${failed}\ncloud-init[76]: Cloud-init v. 25.1.4 finished at noon\n`;
    await expect(follow({ readConsole, sequence: 1, timeoutMs: 60_000, silenceMs: 50 })).rejects.toMatchObject({
      code: "E_BOOTSTRAP_FAILED",
      details: [failed],
    });
    // the bootstrap was started before what failed, and is heard of a moment later
    const late = growing(`${failed}\n`, line(1, began("queue")), line(2, verdict(1)));
    expect(await follow({ readConsole: late, sequence: 1, timeoutMs: 60_000 })).toMatchObject({ ok: true });
  });
});
