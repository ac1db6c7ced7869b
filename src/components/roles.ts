/** What the one host of the topology `server` does: everything. */
export const serverRoles = ["frontend", "queue", "runtime", "worker"];
