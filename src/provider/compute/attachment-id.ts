/** The two halves of an attachment's id, `server/part`: what hangs on the server is a volume attachment or a port. */
export function partsOf(id: string): { serverId: string; part: string } {
  const slash = id.indexOf("/");
  return slash < 0 ? { serverId: id, part: "" } : { serverId: id.slice(0, slash), part: id.slice(slash + 1) };
}
