import { writeFile } from "node:fs/promises";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import type { StackReference } from "../../../src/engine/engine.ts";
import { FakeCloud, fakeProvider } from "./fake-provider.ts";

// An `up` in a process of its own, to be killed: once a named object is made it writes the cloud's objects down and answers no more.
const [, , stackText = "", hangAt = "", objectsPath = "", loadedText = "[]"] = process.argv;
const stack = JSON.parse(stackText) as StackReference;
const cloud = new FakeCloud();
for (const [id, object] of JSON.parse(loadedText)) cloud.objects.set(id, object);
cloud.after = async (call) => {
  if (call !== hangAt) return;
  await writeFile(objectsPath, JSON.stringify([...cloud.objects]));
  await new Promise((resolve) => setTimeout(resolve, 600_000));
};
await createEmbeddedEngine({ providers: () => fakeProvider(cloud) }).up(stack);
