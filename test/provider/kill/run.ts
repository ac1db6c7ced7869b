import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import type { StackReference } from "../../../src/engine/engine.ts";
import { createOpenStackProvider } from "../../../src/provider/provider.ts";
import { inlineProgram } from "../../engine/support/inline-program.ts";
import { twentyResources } from "./stack.ts";

// An operation in a process of its own, to be killed. It ends with 0 only where it has succeeded.
const [, , stackText = "", operation = ""] = process.argv;
const engine = createEmbeddedEngine({
  providers: () => createOpenStackProvider({ env: {} }),
  launch: inlineProgram(twentyResources),
});
// One step at a time, so that each is the one at which a run dies.
await engine[operation as "up" | "destroy"](JSON.parse(stackText) as StackReference, { parallel: 1 });
