import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { quoteForShell } from "../../src/contextualization/helpers.ts";

const script = "/usr/bin/script";

/** Why there are no terminals to test on; undefined where script(1) of util-linux is. */
export const whyNoTerminal =
  process.platform === "linux" && existsSync(script) ? undefined : "script(1) of util-linux is not there";

/** A command on a terminal of its own: what is typed there, and what has been shown. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #shown = "";
  #looked = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#shown += text;
    });
    this.#ended = new Promise((resolve) => child.on("close", resolve));
  }

  static open(command: string[], { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv }): Terminal {
    const line = `stty rows 40 cols 120; exec ${command.map(quoteForShell).join(" ")}`;
    return new Terminal(spawn(script, ["-qec", line, "/dev/null"], { cwd, env: { ...env, TERM: "xterm" } }));
  }

  /** Everything that was shown, without what moves the cursor. */
  get text(): string {
    return stripVTControlCharacters(this.#shown).replaceAll("\r", "");
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Waits until this is shown, after what was waited for before. */
  async shows(expected: string | RegExp, timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const fresh = this.text.slice(this.#looked);
      const at = typeof expected === "string" ? fresh.indexOf(expected) : fresh.search(expected);
      if (at >= 0) {
        this.#looked += at + (typeof expected === "string" ? expected.length : 1);
        return;
      }
      if (Date.now() > deadline) throw new Error(`${expected} is not shown in ${timeoutMs} ms, but ${fresh}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The command's exit code, at its end. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  close(): void {
    this.#child.stdin?.end();
    this.#child.kill("SIGHUP");
  }
}
