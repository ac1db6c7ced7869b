/**
 * Builds something of several parts. Each part says how it is undone: at the end, or at once when a later part fails; the last first.
 * @returns what was built, and the function that undoes it
 */
export async function assemble<T>(
  build: (undo: (step: () => unknown) => void) => Promise<T>,
): Promise<{ built: T; end: () => Promise<void> }> {
  const steps: (() => unknown)[] = [];
  const end = async () => {
    for (const step of steps.splice(0).reverse()) await step();
  };
  try {
    return { built: await build((step) => steps.push(step)), end };
  } catch (error) {
    await end();
    throw error;
  }
}
