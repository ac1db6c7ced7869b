import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Slipway } from "../e2e/slipway.ts";
import { Terminal, whyNoTerminal } from "../support/terminal.ts";

vi.setConfig({ testTimeout: 60_000 });

describe.skipIf(whyNoTerminal)("a question before what cannot be undone", () => {
  let slipway: Slipway;
  beforeAll(async () => {
    slipway = await Slipway.create();
  });
  afterAll(() => slipway?.remove());

  const [controlC, controlD, enter] = ["\x03", "\x04", "\r"];
  it.each([
    ["Ctrl-C", controlC],
    ["Ctrl-D", controlD],
    ["another name", `staging${enter}`],
  ])("leaves the stack as it is at %s", async (_, keys) => {
    const { projectRoot, home } = slipway;
    const command = [process.execPath, join(projectRoot, "src/cli/main.ts"), "stack", "cancel", "production"];
    const terminal = Terminal.open(command, { cwd: projectRoot, env: { ...process.env, SLIPWAY_HOME: home } });
    await terminal.shows("confirm breaking the locks of production:");
    terminal.type(keys);
    await terminal.shows("E_INTERRUPTED: production is left as it is");
    expect(await terminal.ended()).toBe(130);
  });
});
