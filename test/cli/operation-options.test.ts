import { expect, it } from "vitest";
import yargs from "yargs";
import { operationOptions, operationOptionsFrom } from "../../src/cli/options.ts";

const read = (line: string) =>
  operationOptionsFrom(
    yargs(line.split(" ")).options(operationOptions).parseSync() as Parameters<typeof operationOptionsFrom>[0],
  );

it("options of an operation name any number of resources and leave the stack's name alone", () => {
  expect(read("--target urn:a --target **:b --target-dependents dev")).toEqual({
    targets: ["urn:a", "**:b"],
    targetDependents: true,
  });
  expect(read("--replace urn:a dev --parallel 8")).toEqual({ replaces: ["urn:a"], parallel: 8 });
  expect(read("dev --parallel 0")).toEqual({ parallel: 1 });
  expect(read("dev")).toEqual({});
});
