import { expect, it } from "vitest";
import { ask } from "../../../src/cli/init/ask.ts";

it("where there is nothing to choose from, says what to do", async () => {
  const question = { message: "Image", choices: [], suggestion: undefined, problem: () => "the cloud has no image" };
  await expect(ask(question, new AbortController().signal)).rejects.toMatchObject({
    code: "E_LOOKUP",
    message: "the cloud has no image",
    hint: expect.stringContaining("--os-cloud"),
  });
});
