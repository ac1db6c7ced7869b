import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import type { AnyPackage } from "../../../src/serving/models/package.ts";
import { assemble } from "../../support/assemble.ts";
import { type Host, installModel, prepareHost, startServing, type TestProcess, untilReady } from "../support.ts";
import { startBrowser } from "./browser.ts";

/** A host's frontend and runtime as real processes, and a browser to look at them. */
export interface ServedPages {
  host: Host;
  browser: Browser;
  runtime: TestProcess;
  end(): Promise<void>;
}

/** Serves a model, and others by their names; what else shall serve is put into the registry by `more`. The test must end it. */
export async function servePages(
  model: AnyPackage,
  others: Record<string, AnyPackage> = {},
  name = "diabetes",
  more?: (modelsDir: string) => Promise<unknown>,
): Promise<ServedPages> {
  const { built, end } = await assemble(async (undo) => {
    const folder = await mkdtemp(join(tmpdir(), "slipway-pages-"));
    undo(() => rm(folder, { recursive: true }));
    const host = await prepareHost(folder);
    await installModel(host.modelsDir, model, "1", name);
    for (const [other, own] of Object.entries(others)) await installModel(host.modelsDir, own, "1", other);
    await more?.(host.modelsDir);
    const [frontend, runtime] = [startServing("frontend", host), startServing("runtime", host)];
    undo(() => Promise.all([frontend.end("SIGKILL"), runtime.end("SIGKILL")]));
    const browser = await startBrowser();
    undo(() => browser.close());
    await untilReady(host);
    return { host, browser, runtime };
  });
  return { ...built, end };
}
