import type { Router } from "./router.ts";

/** What routes ask of a router. */
export type AskedRouter = Pick<
  Router,
  "find" | "findConnected" | "findLast" | "standInFor" | "trialBeside" | "models" | "runtimes" | "predict" | "sync"
>;

/** A router that finds what another does and has questions answered in a way of its own. */
export function withPredict(router: AskedRouter, predict: AskedRouter["predict"]): AskedRouter {
  return {
    find: (name, version) => router.find(name, version),
    findConnected: (name, version) => router.findConnected(name, version),
    findLast: (name) => router.findLast(name),
    standInFor: (served) => router.standInFor(served),
    trialBeside: (live) => router.trialBeside(live),
    get models() {
      return router.models;
    },
    get runtimes() {
      return router.runtimes;
    },
    sync: () => router.sync(),
    predict,
  };
}
