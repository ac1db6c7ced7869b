import { serveFunction } from "./models/function/thread.ts";

/** The thread of a runtime, or of an import, that a function model runs in. */
await serveFunction();
