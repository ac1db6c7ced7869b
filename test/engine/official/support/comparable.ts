/** A state without what is allowed to differ: times, versions, ciphertexts and the salt, ids of providers, and where in the source a resource was written. */
// biome-ignore lint/suspicious/noExplicitAny: the file is looked at as a reader would, without the engine's types
export function comparable(latest: any) {
  const resources: [Record<string, unknown>, string, string][] = latest.resources.map(
    ({ created, modified, sourcePosition, stackTrace, ...resource }: Record<string, unknown>) => [
      resource,
      typeof created,
      typeof modified,
    ],
  );
  // what does not depend on each other ends in any order
  resources.sort(([one], [other]) => String(one?.urn).localeCompare(String(other?.urn)));
  const text = JSON.stringify({ ...latest, manifest: undefined, resources });
  const masked = text
    .replaceAll(/"(ciphertext|salt)":"[^"]*"/g, '"$1":"sealed"')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "uuid");
  return JSON.parse(masked);
}
