const tails = new Map<string, Promise<unknown>>();

/**
 * Runs the work of one key one after another: Neutron answers 409 to concurrent changes of one router or security group.
 * A failure is the caller's and does not stop those who wait.
 */
export async function serially<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(key) ?? Promise.resolve();
  const mine = before.then(work, work);
  tails.set(key, mine);
  try {
    return await mine;
  } finally {
    if (tails.get(key) === mine) tails.delete(key);
  }
}
