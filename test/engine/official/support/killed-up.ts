import { createEmbeddedEngine } from "../../../../src/engine/embedded/embedded-engine.ts";
import type { StackReference } from "../../../../src/engine/engine.ts";

// An `up` of the embedded engine in a process of its own, to be killed.
await createEmbeddedEngine({ providers: () => undefined }).up(JSON.parse(process.argv[2] ?? "") as StackReference);
