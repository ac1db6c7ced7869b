import { describe, expect, it, onTestFinished } from "vitest";
import { LeadIns } from "../../../src/cloud/hypervisors/qemu/lead-ins.ts";
import { Turns } from "../../../src/common/turns.ts";
import { waitFor } from "../../../src/common/wait.ts";

function leading(leadIn: (id: string) => Promise<void>) {
  const turns = new Turns();
  const told: string[] = [];
  const leadIns = new LeadIns({ turns, leadIn, log: (line) => void told.push(line), retryMs: 1 });
  onTestFinished(() => leadIns.close());
  return { turns, told, leadIns };
}

describe("what leads into guests", () => {
  it("is changed at once where a guest's turn is free, else, by the last plan alone, when it is", async () => {
    const led: string[] = [];
    const { turns, leadIns } = leading(async (id) => void led.push(id));
    const { promise: copied, resolve: release } = Promise.withResolvers<void>();
    const held = turns.run("copied", () => copied);
    await leadIns.renew(["copied", "other"]);
    await leadIns.renew(["copied", "other"]);
    expect(led).toEqual(["other", "other"]);
    release();
    await held;
    await turns.idle();
    expect(led).toEqual(["other", "other", "copied"]);
  });

  it("is changed later where that failed, which is told; nobody waits for it again", async () => {
    let answers = false;
    const led: string[] = [];
    const { told, leadIns } = leading(async (id) => {
      if (id === "silent" && !answers) throw new Error("no answer");
      led.push(id);
    });
    await leadIns.renew(["silent", "other"]);
    expect(led).toEqual(["other"]);
    expect(told[0]).toBe("server silent: what leads into it is not yet as it should be: no answer");
    answers = true;
    await waitFor("the second try", async () => (led.includes("silent") ? true : undefined), { timeoutMs: 10_000 });
  });

  it("is not changed by a cloud that has ended", async () => {
    let tries = 0;
    const { turns, leadIns } = leading(async () => {
      tries++;
      throw new Error("no answer");
    });
    const first = leadIns.renew(["silent"]);
    leadIns.close();
    await first;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await turns.idle();
    expect(tries).toBe(1);
  });
});
