import type { Fault } from "./fault.ts";

/** What goes wrong with what is kept in the object store. */
export const storeFaults: Fault[] = [
  {
    row: "P25",
    name: "lock-orphaned",
    does: "a deleted object whose name ends in `lock` stays, as if its holder had died: 204, and nothing was done",
    times: 1,
    requests: [
      {
        method: "DELETE",
        route: "/object-store/v1/:account/:container/*",
        when: ({ params }) => (params as { "*": string })["*"].endsWith("lock"),
        before: () => ({ status: 204 }),
      },
    ],
  },
];
