import { enableCompileCache } from "node:module";
import { compileCache } from "../../src/common/compile-cache.mjs";
import type { Engine, StackReference } from "../../src/engine/engine.ts";
import type { ResourceProvider } from "../../src/engine/resource-provider.ts";

// One operation in a process of its own, as a verb would run it; prints when the program made its first request for a resource, how
// long the cloud was being asked for something, and the processor time of this process's main thread while it was not.
enableCompileCache(compileCache()); // as the command line does, before the engine is loaded
const [, , kind = "", stackText = "", operation = ""] = process.argv;
const measured = { loadedMs: 0, cloudMs: 0, ownCpuMs: 0 };
const open = { calls: 0, since: 0, cpuMs: 0 };

/** Of this thread since it began; that the passphrase's key is derived is another's work, while the program loads. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function cloudBegins(): void {
  open.since = performance.now();
  measured.ownCpuMs += cpuMs() - open.cpuMs;
}

function cloudEnds(): void {
  measured.cloudMs += performance.now() - open.since;
  open.cpuMs = cpuMs();
}

/** Adds up the time in which at least one call is under way that asks the cloud. */
function timed(provider: ResourceProvider): ResourceProvider {
  const track =
    <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (open.calls++ === 0) cloudBegins();
      try {
        return await call.apply(provider, given);
      } finally {
        if (--open.calls === 0) cloudEnds();
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
  if (kind === "embedded") {
    const { createEmbeddedEngine } = await import("../../src/engine/embedded/embedded-engine.ts");
    const { createOpenStackProvider } = await import("../../src/provider/provider.ts");
    return createEmbeddedEngine({ providers: () => timed(createOpenStackProvider({ env: {} })) });
  }
  const { createOfficialEngine } = await import("../../src/engine/official/official-engine.ts");
  return createOfficialEngine({ plugins: [{ name: "openstack", version: "3.15.2" }] });
}

const engine = await engineOf();
const { changes } = await engine[operation as "up" | "preview" | "destroy"](JSON.parse(stackText) as StackReference);
measured.ownCpuMs += cpuMs() - open.cpuMs;
console.log(JSON.stringify({ ...measured, changes }));
