import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { importModel } from "../../../src/serving/models/import.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { exampleModel } from "../support.ts";
import { accessibilityProblems, browserPath, openPage, overflow, tabTo, takeScreenshot } from "./browser.ts";
import { type ServedPages, servePages } from "./served-pages.ts";

const patience = { timeout: 60_000 };
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const absent = browserPath ? "" : " (chromium is not installed)";

describe.skipIf(!browserPath)(`pages of models that take no rows${absent}`, patience, () => {
  let served: ServedPages;
  const pages: Page[] = [];
  beforeAll(async () => {
    // its tensors have names of their own, datatypes of all kinds and no rows
    const tensors = await importModel(at("../fixtures/inference/every.onnx"));
    const rows = await importModel(exampleModel("production"));
    served = await servePages(await importAnyModel(at("../../../models/fib/fib.ts")), { tensors, rows }, "fib");
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
  });
  afterAll(() => served?.end());

  async function open(path: string, options = {}) {
    const watched = await openPage(served.browser, served.host.url, {
      viewport: { width: 390, height: 720 },
      ...options,
    });
    pages.push(watched.page);
    await watched.page.goto(path);
    return watched;
  }

  it.each([
    ["welcome-function", "/"],
    ["model-function", "/model"],
    ["model-tensors", "/model?name=tensors"],
    ["model-rows", "/model?name=rows"],
    ["form-function", "/predict"],
    ["form-tensors", "/predict?name=tensors"],
    ["form-rows", "/predict?name=rows"],
  ])("%s: accessible, within its width, silent", async (name, path) => {
    const { page, incidents } = await open(path);
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 720 });
      await takeScreenshot(page, `${name}-${width}`);
      expect(await overflow(page), `${width}`).toBe(0);
      expect(await accessibilityProblems(page), `${width}`).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await accessibilityProblems(page, ["color-contrast"])).toEqual([]);
    expect(incidents).toEqual([]);
  });

  it("calls a function with the keyboard alone, and says what is wrong", async () => {
    const { page, incidents } = await open("/predict", { javaScriptEnabled: true });
    await tabTo(page, "n");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("30");
    await page.keyboard.press("Enter");
    // from https://oeis.org/A000045
    expect(await page.locator(".figure").textContent()).toBe("832040");
    await page.getByLabel("n", { exact: true }).fill("many");
    await page.keyboard.press("Enter");
    expect(await page.locator(".problem").textContent()).toBe("This is not a number.");
    expect(await page.getByLabel("n", { exact: true }).inputValue()).toBe("many");
    expect(incidents).toEqual([]);
    await page.getByLabel("n", { exact: true }).fill("41");
    await page.keyboard.press("Enter");
    expect(await page.locator(".panel.bad p").textContent()).toContain("40");
    expect(await page.getByLabel("n", { exact: true }).inputValue()).toBe("41");
    expect(incidents.filter((one) => !one.includes("422"))).toEqual([]);
  });

  it("asks a model of tensors its golden question, and answers what is known", async () => {
    const { page } = await open("/predict?name=tensors", { javaScriptEnabled: false });
    await page.getByRole("button").click();
    const { outputs } = (await importModel(at("../fixtures/inference/every.onnx"))).golden as {
      outputs: { name: string; data: unknown[] }[];
    };
    const lines = (await page.locator(".panel pre").textContent())?.split("\n") ?? [];
    const answered = lines.map((line) => JSON.parse(line) as { name: string; data: unknown[] });
    expect(answered.map(({ name }) => name)).toEqual(outputs.map(({ name }) => name));
    const [first] = outputs;
    expect(answered.find(({ name }) => name === first?.name)?.data).toEqual(first?.data);
    await page.getByLabel("inputs").fill("[");
    await page.getByRole("button").click();
    expect(await page.locator(".problem").textContent()).toBe("This is not JSON.");
    await page.getByLabel("inputs").fill("[]");
    await page.getByRole("button").click();
    expect(await page.locator(".panel.bad").textContent()).toContain("the request has no inputs");
  });

  it("tells how each model answers its golden questions, and leads from one to the other", async () => {
    const { page } = await open("/model");
    expect(await page.locator("body").textContent()).toContain("repeated the outputs of");
    await page.getByRole("link", { name: "rows", exact: true }).click();
    expect(await page.locator("body").textContent()).toContain("Accuracy on the golden rows100.0 %");
    await page.getByRole("link", { name: "Try it" }).last().click();
    await page.getByRole("link", { name: /Fill in row 1/ }).click();
    await page.getByRole("button", { name: "Predict" }).click();
    expect(await page.locator(".figure").textContent()).toMatch(/^Class [01]$/);
  });
});
