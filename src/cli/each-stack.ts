import { SlipwayError } from "../common/errors.ts";
import type { Reporter } from "./ui/reporter.ts";
import { toldError } from "./verb.ts";

/** What a verb is told of the stacks that it works on. */
interface Stacks {
  args: { stack?: string | undefined; others?: unknown };
  reporter: Reporter;
  signal: AbortSignal;
}

/** The further positional arguments of a verb that takes several stacks. */
export const otherStacks = {
  words: { others: "stacks" },
  lists: { others: "further stacks, one after the other" },
} as const;

/**
 * Does a verb's work on each of the stacks that the command line names, one after the other. Each has a result of its own; one that fails
 * does not keep the next from being worked on, and the first failure's exit code is the command's.
 * @param work is given the stack's name and who to report to
 */
export async function forEachStack(
  { args, reporter, signal }: Stacks,
  work: (stack: string | undefined, reporter: Reporter) => Promise<void>,
): Promise<void> {
  const { stack, others = [] } = args;
  const stacks = [...new Set([stack, ...(others as string[])])];
  if (stacks.length === 1) return work(stack, reporter);
  for (const name of stacks) {
    const own = reporter.another();
    own.event({ type: "stack", stack: name });
    try {
      await work(name, own);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toldError(thrown, signal);
      own.failure(error, { stack: name });
      process.exitCode ??= error instanceof SlipwayError ? error.exitCode : 1;
    }
  }
}
