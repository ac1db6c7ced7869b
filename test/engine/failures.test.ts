import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { showMessages } from "../../src/cli/engine-progress.ts";
import { SlipwayError } from "../../src/common/errors.ts";
import type { EngineEvent } from "../../src/engine/events.ts";
import { halfMade } from "./support/fake-provider.ts";
import { failureOf, Workbench } from "./support/workbench.ts";

let bench: Workbench;
afterEach(() => bench.dispose());

describe("a resource that fails", () => {
  beforeEach(async () => {
    bench = await Workbench.of("network");
  });

  it("stops what has not begun, keeps what was made, and the next run finishes", async () => {
    bench.cloud.before = (call) => {
      if (call === "create Subnet net") throw new Error("Quota exceeded for resources: ['subnet']");
    };
    const failure = await failureOf(bench.up());
    expect(failure.code).toBe("E_UPDATE_FAILED");
    expect(failure.message).toBe(
      "urn:pulumi:dev::network::test:index:PrivateNetwork$openstack:networking/subnet:Subnet::net: Quota exceeded for resources: ['subnet']",
    );
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect(bench.cloud.ofType("Instance")).toHaveLength(0);
    expect(bench.cloud.calls.filter((call) => call.startsWith("delete"))).toEqual([]);
    expect((await bench.latest()).pending_operations).toBeUndefined();
    expect(await bench.locks()).toEqual([]);

    bench.cloud.before = () => undefined;
    const { changes } = await bench.up();
    expect((changes.create ?? 0) + (changes.same ?? 0)).toBe(12);
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect(bench.cloud.ofType("Instance")).toHaveLength(1);
  });

  it("carries the request id and the hint of its cause", async () => {
    bench.cloud.before = (call) => {
      if (call !== "create SecGroup group") return;
      const cause = new SlipwayError("E_CLOUD_API", "POST answered 409", { requestId: "req-1234", hint: "Wait." });
      throw new Error("not made", { cause });
    };
    expect(await failureOf(bench.up())).toMatchObject({
      code: "E_UPDATE_FAILED",
      requestId: "req-1234",
      hint: "Wait.",
    });
  });

  it("keeps a SlipwayError's own code", async () => {
    bench.cloud.before = () => {
      throw new SlipwayError("E_CLOUD_UNREACHABLE", "nobody answers", { hint: "Start it." });
    };
    expect(await failureOf(bench.up())).toMatchObject({ code: "E_CLOUD_UNREACHABLE", hint: "Start it." });
  });

  it("that was half made stays in the state with the reasons, and is updated by the next run", async () => {
    bench.cloud.after = (call, r) => {
      if (call === "create Instance server") throw halfMade(bench.cloud, r);
    };
    expect((await failureOf(bench.up())).message).toContain("unexpected state 'ERROR'");
    const { resources } = await bench.latest();
    const server = resources.find((resource: { urn: string }) => resource.urn.endsWith("::server"));
    expect(server).toMatchObject({ id: expect.any(String), initErrors: ["unexpected state 'ERROR'"] });

    bench.cloud.after = () => undefined;
    await bench.up();
    expect(bench.cloud.calls).toContain("update Instance server");
    expect(bench.cloud.ofType("Instance")).toHaveLength(1);
    expect(JSON.stringify(await bench.latest())).not.toContain("initErrors");
  });

  it("when it cannot be deleted, keeps what it depends on", async () => {
    await bench.up();
    bench.cloud.before = (call) => {
      if (call === "delete RouterInterface uplink") throw new Error("in use");
    };
    const failure = await failureOf(bench.destroy());
    expect(failure.message).toMatch(/RouterInterface::uplink: in use$/);
    expect(bench.cloud.ofType("Router")).toHaveLength(1);
    expect(bench.cloud.ofType("Subnet")).toHaveLength(1);
    bench.cloud.before = () => undefined;
    await bench.destroy();
    expect(bench.cloud.objects.size).toBe(0);
  });

  it("never shows a secret in its message", async () => {
    bench.cloud.before = (call) => {
      if (call === "create Instance server") throw new Error(`metadata refused: {"note":"hush-hush"}`);
    };
    const failure = await failureOf(bench.up());
    expect(failure.message).toContain(`metadata refused: {"note":"[secret]"}`);
    expect(JSON.stringify(bench.events)).not.toContain("hush-hush");
  });
});

it("a destroy that fails shows no secret of the configuration, though no state has it", async () => {
  bench = await Workbench.of("broken");
  await bench.up();
  bench.cloud.before = () => {
    throw new Error("refused: token-4711");
  };
  const failure = await failureOf(bench.engine.destroy(bench.with({ "broken:token": "token-4711" }), bench.options()));
  expect(failure.message).toContain("refused: [secret]");
  expect(JSON.stringify(bench.events)).not.toContain("token-4711");
});

/** The errors and warnings that a user sees while an operation runs. */
function linesOf(events: EngineEvent[]): string[] {
  const lines: string[] = [];
  const show = showMessages((line) => lines.push(line));
  for (const event of events) show(event);
  return lines;
}

describe("a look-up that fails", () => {
  it("ends the run with its own code, though the program reports it too", async () => {
    bench = await Workbench.of("network");
    bench.cloud.invoke = () => {
      throw new SlipwayError("E_LOOKUP", 'no network is named "public"', { details: ["ext-net", "lan"] });
    };
    const failure = await failureOf(bench.preview());
    expect(failure).toMatchObject({
      code: "E_LOOKUP",
      message: 'no network is named "public"',
      details: ["ext-net", "lan"],
    });
    // told as the program said it; the display leaves it to the error
    expect(bench.messages().filter((message) => message.startsWith("error"))).toHaveLength(1);
    expect(linesOf(bench.events)).toEqual([]);
  });

  it("is the program's own business when it catches it", async () => {
    bench = await Workbench.of("broken");
    bench.cloud.invoke = () => {
      throw new SlipwayError("E_LOOKUP", "no image");
    };
    await bench.up({ "broken:end": "caught" });
    expect(await failureOf(bench.up({ "broken:end": "lookup" }))).toMatchObject({ code: "E_LOOKUP" });
  });
});

describe("a program that fails", () => {
  beforeEach(async () => {
    bench = await Workbench.of("broken");
  });
  const ends = async (end: string, more = {}) => {
    const failure = await failureOf(bench.up({ "broken:end": end, ...more }));
    // A failed program deletes nothing, and what it made is known.
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect(await bench.locks()).toEqual([]);
    return failure;
  };

  it("by throwing", async () => {
    const failure = await ends("throw");
    expect(failure).toMatchObject({ code: "E_PROGRAM_FAILED", message: "Error: cannot go on with this" });
    expect(failure.details.join("\n")).toContain("index.ts");
  });

  it("by a RunError", async () => {
    expect(await ends("run-error")).toMatchObject({ code: "E_PROGRAM_FAILED", message: "said by the program" });
  });

  it("by a documented code", async () => {
    const failure = await ends("run-error", { "broken:word": "E_PAYLOAD_MISSING: nothing is published\nlook here" });
    expect(failure).toMatchObject({
      code: "E_PAYLOAD_MISSING",
      message: "nothing is published",
      details: ["look here"],
    });
    const word = "E_NOT_KNOWN: what";
    expect(await ends("run-error", { "broken:word": word })).toMatchObject({ code: "E_PROGRAM_FAILED", message: word });
  });

  it("by leaving with a code", async () => {
    expect((await ends("exit")).message).toContain("exited with code 3");
    expect(bench.messages().at(-1)).toMatch(/^error: the program exited with code 3/);
    expect(bench.events.slice(-2)).toMatchObject([{ summaryEvent: { result: "failed" } }, { cancelEvent: {} }]);
  });

  it("keeps what it had, and the next run goes on", async () => {
    await ends("throw");
    const { changes } = await bench.up({ "broken:end": "print" });
    expect(changes).toEqual({ same: 2 });
    expect(bench.messages()).toContain("info: printed by the program");
  });

  it("but not by leaving a process behind that holds its output", async () => {
    const startedAt = performance.now();
    await bench.up({ "broken:end": "leave-child" });
    const [, pid] = /left behind (\d+)/.exec(bench.messages().join("\n")) ?? [];
    process.kill(Number(pid)); // throws where it has ended by itself
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it("but not by only logging an error", async () => {
    await bench.up({ "broken:end": "log" });
    expect(bench.messages()).toContain("error: only said");
  });
});

describe("an interruption", () => {
  it("lets the step under way finish, saves it, and frees the lock", async () => {
    bench = await Workbench.of("network");
    const interrupt = new AbortController();
    bench.cloud.before = async (call) => {
      if (call !== "create Network net") return;
      interrupt.abort();
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const failure = await failureOf(bench.up({}, { signal: interrupt.signal }));
    expect(failure.code).toBe("E_INTERRUPTED");
    expect(bench.cloud.ofType("Network")).toHaveLength(1);
    expect(bench.cloud.ofType("Subnet")).toHaveLength(0);
    const { resources } = await bench.latest();
    expect(resources.map((resource: { type: string }) => resource.type)).toContain(
      "openstack:networking/network:Network",
    );
    expect(await bench.locks()).toEqual([]);
  });

  it("ends a program that waits for something else", async () => {
    bench = await Workbench.of("broken");
    const interrupt = new AbortController();
    bench.cloud.after = () => void setTimeout(() => interrupt.abort(), 300);
    const startedAt = performance.now();
    const failure = await failureOf(bench.up({ "broken:end": "hang" }, { signal: interrupt.signal }));
    expect(failure.code).toBe("E_INTERRUPTED");
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });
});
