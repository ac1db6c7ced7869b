import { createEmbeddedEngine } from "../../src/engine/embedded/embedded-engine.ts";
import type { Engine, StackReference } from "../../src/engine/engine.ts";
import type { ResourceProvider } from "../../src/engine/resource-provider.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";

// One operation in a process of its own, as a verb would run it; prints when the program made its first request for a resource, and how
// long the cloud was being asked for something.
const [, , kind = "", stackText = "", operation = ""] = process.argv;
const measured = { loadedMs: 0, cloudMs: 0 };
const open = { calls: 0, since: 0 };

/** Adds up the time in which at least one call is under way that asks the cloud. */
function timed(provider: ResourceProvider): ResourceProvider {
  const track =
    <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (open.calls++ === 0) open.since = performance.now();
      try {
        return await call.apply(provider, given);
      } finally {
        if (--open.calls === 0) measured.cloudMs += performance.now() - open.since;
      }
    };
  return {
    ...provider,
    check: (...given) => {
      measured.loadedMs ||= performance.now();
      return provider.check(...given);
    },
    create: track(provider.create),
    update: track(provider.update),
    read: track(provider.read),
    delete: track(provider.delete),
    invoke: track(provider.invoke),
  };
}

async function engineOf(): Promise<Engine> {
  if (kind === "embedded")
    return createEmbeddedEngine({ providers: () => timed(createOpenStackProvider({ env: {} })) });
  const { createOfficialEngine } = await import("../../src/engine/official/official-engine.ts");
  return createOfficialEngine({ plugins: [{ name: "openstack", version: "3.15.2" }] });
}

const engine = await engineOf();
const { changes } = await engine[operation as "up" | "preview" | "destroy"](JSON.parse(stackText) as StackReference);
console.log(JSON.stringify({ ...measured, changes }));
