import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importModel } from "../../../src/serving/models/import.ts";
import { convertNetwork } from "../../../src/serving/models/keras/convert.ts";
import { parseKerasModel } from "../../../src/serving/models/keras/description.ts";
import { ask, exampleModel, goldenRows, startServing, untilReady } from "../support.ts";
import { accessibilityProblems, browserPath, openPage, overflow, tabTo } from "./browser.ts";
import { type ServedPages, servePages } from "./served-pages.ts";

const skipped = browserPath ? "" : " (chromium is not installed)";
/** A browser beside other tests takes its time. */
const patience = { timeout: 60_000 };
const production = await importModel(exampleModel("production"));
const { rows, outputs } = goldenRows(production);

const texts = (page: Page, selector: string) => page.locator(selector).allTextContents();
const fill = async (page: Page, values: unknown[]) => {
  for (const [column, value] of values.entries()) await page.locator("input").nth(column).fill(`${value}`);
};
const focused = (page: Page): Promise<string> => page.evaluate("document.activeElement.textContent");

describe.skipIf(!browserPath)(`the form for one row${skipped}`, patience, () => {
  let served: ServedPages;
  const open = (options = {}) => openPage(served.browser, served.host.url, options);
  beforeAll(async () => {
    served = await servePages(production);
  });
  afterAll(() => served?.end());

  it("answers what Keras computed, used with the keyboard alone", async () => {
    const { page, incidents } = await open();
    await page.goto("/");
    await tabTo(page, "Skip to the content");
    await tabTo(page, "Try it");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/predict");
    await tabTo(page, "pregnancies");
    for (const value of rows[1] ?? []) {
      await page.keyboard.type(`${value}`);
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByText("The answer", { exact: true }).waitFor();
    expect(await focused(page)).toContain("Class 1");
    const share = `${((outputs[1] ?? Number.NaN) * 100).toFixed(1)} %`;
    expect(await texts(page, ".panel dd")).toContain(share);
    expect(await page.locator("input").first().inputValue()).toBe("0");
    expect(incidents).toEqual([]);
    await page.context().close();
  });

  it("says beside each field what is wrong, goes there, and keeps what was typed", async () => {
    const { page, incidents } = await open();
    await page.goto("/predict");
    const markup = `"><script>alert(1)</script>`;
    await fill(page, [markup, "Infinity", "1e39", "33,6", "", "0x1F", "1 2", "28.5"]);
    await page.keyboard.press("Enter");
    await page.getByText("Not predicted").waitFor();
    expect(await focused(page)).toContain("Not predicted");
    expect(await texts(page, ".problem")).toEqual([
      expect.stringContaining("<script>"),
      '"Infinity" is not a number.',
      '"1e39" is beyond what the model can take.',
      '"33,6" is not a number: write 33.6.',
      "A number is missing.",
      '"0x1F" is not a number.',
      '"1 2" is not a number.',
    ]);
    expect(await page.locator("input").first().inputValue()).toBe(markup);
    await tabTo(page, "insulin (mU/l)");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.getAttribute('aria-describedby')")).toBe(
      "value-5-range value-5-problem",
    );
    expect(incidents).toEqual([]);
    await page.context().close();
  });

  it("takes values that the model's rows do not have, and says so", async () => {
    const { page } = await open();
    await page.goto("/predict?row=1");
    await page.getByLabel("glucose").fill("-3");
    await page.getByLabel("age (").fill("130");
    await page.keyboard.press("Enter");
    expect(await page.locator(".caution").textContent()).toContain("glucose (mg/dl), age (years)");
    await page.context().close();
  });

  it("keeps what was typed while the runtime is away", async () => {
    const { page } = await open();
    await page.goto("/predict?row=2");
    await served.runtime.end("SIGKILL");
    await page.getByRole("button", { name: "Predict" }).click();
    expect(await page.locator(".panel").textContent()).toContain("the model runtime is not there");
    const again = startServing("runtime", served.host);
    await untilReady(served.host);
    await page.getByRole("button", { name: "Predict" }).click();
    expect(await page.locator(".figure").textContent()).toBe("Class 1");
    await again.end();
    await page.context().close();
  });
});

describe.skipIf(!browserPath)(`the predictions${skipped}`, patience, () => {
  let served: ServedPages;
  beforeAll(async () => {
    served = await servePages(await importModel(exampleModel("development")));
  });
  afterAll(() => served?.end());

  it("are paged with the keyboard, class by class, without scripts, and Back leads back", async () => {
    const { predictions } = (await ask(`${served.host.url}/predictions`)).body as {
      predictions: { class: number; label: number }[];
    };
    const expected = predictions.flatMap((one, row) => (one.class === 1 && one.label === 0 ? [`${row + 1}`] : []));
    expect(expected.length).toBeGreaterThan(25);
    const { page, incidents } = await openPage(served.browser, served.host.url);
    await page.goto("/predictions");
    await tabTo(page, "Predict");
    await page.keyboard.press("Enter");
    await page.getByText("Page 1 of 31").waitFor();
    await tabTo(page, `Class 1 ${predictions.filter((one) => one.class === 1).length}`);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/predictions?page=1&class=1");
    await tabTo(page, `Wrong ${expected.length}`);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/*only=wrong");
    const seen = await texts(page, "tbody th");
    for (let next = 2; next <= Math.ceil(expected.length / 25); next++) {
      await tabTo(page, "Next");
      await page.keyboard.press("Enter");
      await page.getByText(`Page ${next} of`).waitFor();
      seen.push(...(await texts(page, "tbody th")));
    }
    expect(seen).toEqual(expected);
    for (let back = 0; back < 1 + Math.ceil(expected.length / 25); back++) await page.goBack();
    await page.getByText("Page 1 of 31").waitFor();
    expect(page.url()).toBe(`${served.host.url}/predictions`);
    expect(incidents).toEqual([]);
    await page.context().close();
  });

  it("and everything else work without scripts", async () => {
    const { page } = await openPage(served.browser, served.host.url, { javaScriptEnabled: false });
    await page.goto("/");
    await page.getByRole("link", { name: "Accuracy" }).first().click();
    await page.getByRole("button").click();
    await page.getByRole("link", { name: /wrong/ }).click();
    await page.getByRole("link", { name: "Try row" }).first().click();
    await page.getByRole("button", { name: "Predict" }).click();
    expect(await page.locator(".figure").textContent()).toMatch(/^Class [01]$/);
    await page.context().close();
  });
});

describe.skipIf(!browserPath)(`a model with awkward names and many classes${skipped}`, patience, () => {
  let folder: string;
  let served: ServedPages;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-awkward-"));
    const weights = (count: number) => Float32Array.from({ length: count }, (_, index) => Math.sin(index));
    const layers = [
      { class_name: "Dense", config: { name: "a", units: 12, activation: "softmax", batch_input_shape: [null, 3] } },
    ];
    const network = parseKerasModel({ class_name: "Sequential", config: { name: "awkward", layers } });
    const tensors = [
      { name: "kernel", shape: [3, 12], values: weights(36) },
      { name: "bias", shape: [12], values: weights(12) },
    ];
    const names = `<script>alert(1)</script>,${"long".repeat(30)},"><img src=x onerror=alert(2)>,class`;
    const data = Array.from({ length: 60 }, (_, row) => `${row % 7},${-row},${row / 60},${row % 12}`);
    await writeFile(
      join(folder, "model.onnx"),
      convertNetwork(network, { layout: "by-layer", layers: [{ layer: "a", tensors }] }).onnx,
    );
    await writeFile(join(folder, "data.csv"), [names, ...data].join("\n"));
    served = await servePages(await importModel(folder));
  });
  afterAll(async () => {
    await served?.end();
    await rm(folder, { recursive: true });
  });

  it.each(["/", "/model", "/predict?row=2", "/predictions?page=1", "/accuracy"])("%s", async (path) => {
    const { page, incidents } = await openPage(served.browser, served.host.url, {
      viewport: { width: 390, height: 720 },
    });
    await page.goto(path);
    const button = page.getByRole("button");
    if ((await button.count()) > 0) await button.click();
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    expect(incidents).toEqual([]);
    await page.context().close();
  });

  it("lists the most probable classes of an answer", async () => {
    const { page } = await openPage(served.browser, served.host.url);
    await page.goto("/predict?row=2");
    await page.getByRole("button").click();
    const shares = (await texts(page, ".panel dd")).map(Number.parseFloat);
    expect(shares).toHaveLength(10);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(await page.locator(".panel").textContent()).toContain("10 most probable of 12 classes");
    await page.context().close();
  });
});
