import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import type { JobReport } from "../../../src/serving/jobs/records.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { assemble } from "../../support/assemble.ts";
import { queueAbsent, startQueueServer } from "../../support/queue-server.ts";
import {
  ask,
  exampleModel,
  goldenRows,
  type Host,
  installModel,
  prepareHost,
  startServing,
  type TestProcess,
  untilReady,
} from "../support.ts";
import {
  accessibilityProblems,
  browserPath,
  openPage,
  overflow,
  startBrowser,
  tabTo,
  takeScreenshot,
} from "./browser.ts";

const absent = browserPath === undefined ? "chromium is not installed" : queueAbsent;
const model = await importModel(exampleModel("production"));
const { rows } = goldenRows(model);
const patience = { timeout: 90_000 };

const textOf = async (page: Page, selector: string) => (await page.locator(selector).textContent())?.trim();
/** Waits until the page itself says so. */
const until = (what: string, say: () => Promise<string | undefined>, said: string) =>
  waitFor(what, async () => ((await say()) === said ? true : undefined), { timeoutMs: 20_000, intervalMs: 100 }).catch(
    async (error: unknown) => {
      throw new Error(`${what}: the page says ${await say()}, not ${said}`, { cause: error });
    },
  );
const total = (page: Page, name: string) => () => textOf(page, `[data-total="${name}"]`);
const rowsOf = (page: Page, table: string) => page.locator(`[data-rows="${table}"] tr`).allTextContents();

/** Numbers that a small network learns. */
const trainingRows = Array.from({ length: 240 }, (_, at) => {
  const [x, y] = [Math.sin(at * 1.7), Math.cos(at * 2.3)];
  return [x, y, x + y > 0 ? 1 : 0].join(",");
});
const training = {
  kind: "train",
  data: { text: trainingRows.join("\n") },
  spec: {
    kind: "network",
    network: {
      class_name: "Sequential",
      config: {
        name: "net",
        layers: [
          { class_name: "Dense", config: { name: "a", units: 8, activation: "relu", batch_input_shape: [null, 2] } },
          { class_name: "Dense", config: { name: "b", units: 1, activation: "sigmoid" } },
        ],
      },
    },
    loss: "binary_crossentropy",
    optimizer: { name: "adam", learningRate: 0.01 },
    validationSplit: 0.2,
    epochs: 30,
  },
};
const admin = newToken("ada", "admin");
const headers = { authorization: `Bearer ${admin.token}` };

describe.skipIf(absent !== undefined)(`the live page${absent ? ` (${absent})` : ""}`, patience, () => {
  let host: Host;
  let browser: Browser;
  let end: () => Promise<void>;
  let runtime: TestProcess;
  let frontend: TestProcess;
  const pages: Page[] = [];
  beforeAll(async () => {
    const assembled = await assemble(async (undo) => {
      const folder = await mkdtemp(join(tmpdir(), "slipway-live-"));
      undo(() => rm(folder, { recursive: true }));
      const server = await startQueueServer(folder);
      undo(() => server.stop());
      const tokensFile = join(folder, "tokens.json");
      await writeFile(tokensFile, JSON.stringify({ tokens: [admin.entry] }));
      const plain = await prepareHost(folder);
      const changes = { queue: server.queue, frontend: { ...plain.config.frontend, tokensFile } };
      const prepared = { ...(await prepareHost(folder, changes)), url: plain.url };
      await installModel(prepared.modelsDir, model);
      const started = (["frontend", "runtime", "worker"] as const).map((entry) => startServing(entry, prepared));
      undo(() => Promise.all([...started, frontend].map((one) => one?.end("SIGKILL"))));
      const opened = await startBrowser();
      undo(() => opened.close());
      await untilReady(prepared);
      return { prepared, opened, started };
    });
    ({ prepared: host, opened: browser } = assembled.built);
    [frontend, runtime] = assembled.built.started as [TestProcess, TestProcess];
    end = assembled.end;
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
  });
  afterAll(() => end?.());

  async function open(options = {}) {
    const watched = await openPage(browser, host.url, { extraHTTPHeaders: headers, ...options });
    pages.push(watched.page);
    await watched.page.goto("/live");
    return watched;
  }

  it("shows what was asked, who answered, what waits and how a training learns", async () => {
    const { page, incidents } = await open({ viewport: { width: 1280, height: 900 } });
    await page.locator('#live-status[data-state="live"]').waitFor();
    const before = (await ask(`${host.url}/v1/live`, undefined, headers)).body as {
      predictions: { answered: number; rows: number };
    };
    for (let request = 0; request < 5; request++) {
      expect((await ask(`${host.url}/v1/predict`, { rows: rows.slice(0, 3) }, headers)).status).toBe(200);
    }
    const { answered, rows: rowsBefore } = before.predictions;
    await until("the requests", total(page, "answered"), String(answered + 5));
    expect(await total(page, "rows")()).toBe(String(rowsBefore + 15));
    expect(await total(page, "failed")()).toBe("0");
    expect(await rowsOf(page, "runtimes")).toEqual([expect.stringMatching(/^default .*CPU.*0$/)]);
    expect(await rowsOf(page, "models")).toEqual([`diabetes version 1${answered + 5}0${rowsBefore + 15}`]);

    const job = await ask(`${host.url}/v1/jobs`, { rows: rows.slice(0, 2) }, headers);
    expect(job.status).toBe(202);
    await until(
      "the job",
      async () => (await rowsOf(page, "jobs"))[0],
      `prediction ${String(job.body.id).slice(0, 10)}completed2 of 2`,
    );

    const begun = await ask(`${host.url}/v1/jobs`, training, headers);
    expect(begun.body, "the training was taken").toMatchObject({ kind: "train" });
    const ended = waitFor(
      "the training",
      async () => {
        const job = (await ask(`${host.url}/v1/jobs/${begun.body.id}`, undefined, headers))
          .body as unknown as JobReport;
        return job.state === "completed" || job.state === "failed" ? job : undefined;
      },
      { timeoutMs: 40_000 },
    );
    const trained = await ended;
    expect(trained).toMatchObject({ state: "completed" });
    const words = () => textOf(page, "#live-training-words");
    const { loss, valLoss } = { ...trained.steps?.[0]?.progress } as Partial<Record<string, number>>;
    const told = await waitFor(
      "the curve",
      async () => {
        const text = await words();
        return text?.includes("(completed), epoch 30 of 30") ? text : undefined;
      },
      { timeoutMs: 10_000 },
    );
    expect(told).toContain(`loss ${Number(loss?.toPrecision(3))}, validation loss ${Number(valLoss?.toPrecision(3))}`);
    const curve = await page.locator("#chart-loss .line-1").getAttribute("d");
    expect(curve?.match(/[ML]/g)).toHaveLength(30);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await takeScreenshot(page, `live-busy-1280-${colorScheme}`);
      expect(await accessibilityProblems(page, ["color-contrast"]), colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForTimeout(1500);
    await takeScreenshot(page, "live-busy-390-dark");
    expect(await overflow(page)).toBe(0);
    // the lines are drawn: the rate was above 0 at some time
    const path = await page.locator("#chart-requests .line-1").getAttribute("d");
    expect(new Set(path?.match(/[\d.]+(?=L|M|$)/g)).size).toBeGreaterThan(1);
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(incidents).toEqual([]);
  });

  it("is used with the keyboard: pauses, and says its figures when asked", async () => {
    const { page, incidents } = await open({ viewport: { width: 390, height: 720 } });
    await page.locator('#live-status[data-state="live"]').waitFor();
    await tabTo(page, "Pause");
    await page.keyboard.press("Enter");
    await until("the pause", () => textOf(page, "#live-status"), "Paused");
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await textOf(page, "#live-spoken")).toMatch(/\d+ requests answered, 0 failed, 0 in flight\.$/);
    await page.waitForTimeout(1300);
    expect(asked).toEqual([]);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await until("going on", () => textOf(page, "#live-status"), "Live");
    expect(await overflow(page)).toBe(0);
    expect(incidents).toEqual([]);
  });

  it("shows the figures without scripts, too, and asks for them again", async () => {
    const { page } = await open({ javaScriptEnabled: false });
    const { predictions } = (await ask(`${host.url}/v1/live`, undefined, headers)).body as {
      predictions: { answered: number };
    };
    expect(await total(page, "answered")()).toBe(String(predictions.answered));
    expect(await page.locator("noscript, .lead").allTextContents()).toContainEqual(expect.stringContaining("script"));
    expect(await page.locator("meta[http-equiv=refresh]").count()).toBe(1);
    expect(await page.locator("#live-controls").isVisible()).toBe(false);
  });

  it("tells when a runtime and the host itself are gone, and goes on when they are back", async () => {
    const { page } = await open();
    await page.locator('#live-status[data-state="live"]').waitFor();
    await runtime.end("SIGKILL");
    await until("the runtime's end", () => textOf(page, '[data-empty="runtimes"]:visible'), "No runtime is connected.");
    await frontend.end("SIGKILL");
    await page.locator('#live-status[data-state="lost"]').waitFor();
    await takeScreenshot(page, "live-lost");
    frontend = startServing("frontend", host);
    await page.locator('#live-status[data-state="live"]').waitFor({ timeout: 20_000 });
    expect(await total(page, "answered")()).toBe("0");
  });
});
