import { messageOf, SlipwayError } from "./errors.ts";

/**
 * Undoes what a failure leaves, and answers that failure: it is what matters. That something could not be undone is a line below it.
 * @param what could not be undone then, e.g. `the address could not be given back`
 */
export async function undone(failure: unknown, undo: () => Promise<void>, what: string): Promise<unknown> {
  try {
    await undo();
  } catch (error) {
    if (failure instanceof SlipwayError) failure.details.push(`${what}: ${messageOf(error)}`);
  }
  return failure;
}
