import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { importModel } from "../../../src/serving/models/import.ts";
import { importAnyModel } from "../../../src/serving/models/import-any.ts";
import { loadVersion, useVersion } from "../../../src/serving/models/registry.ts";
import { updateRegistry } from "../../../src/serving/models/registry-file.ts";
import { ask, exampleModel, installModel } from "../support.ts";
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
    served = await servePages(
      await importAnyModel(at("../../../models/fib/fib.ts")),
      { tensors, rows },
      "fib",
      async (dir) => {
        await installModel(dir, await importModel(exampleModel("development")), "2", "rows");
        await updateRegistry(dir, (registry) => loadVersion(useVersion(registry, "rows", "1"), "rows", "2"));
      },
    );
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
    ["model-rows-2", "/model?name=rows&version=2"],
    ["predictions-rows-asked", "/predictions?name=rows"],
    ["predictions-rows-2", "/predictions?name=rows&version=2&page=2"],
    ["accuracy-rows-2-asked", "/accuracy?name=rows&version=2"],
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

  it("leads from a model to its versions, and tells of each what it says of its rows and how often it is right", async () => {
    const { page, incidents } = await open("/model?name=rows");
    const versions = await page.locator("dt", { hasText: /^[12]$/ }).allTextContents();
    expect(versions).toEqual(["2", "1"]);
    expect(await page.locator("body").textContent()).toContain("live, shown here");
    await page.getByRole("link", { name: "2", exact: true }).click();
    expect(await page.locator("h1").textContent()).toContain("version 2");
    expect(await page.locator("body").textContent()).toContain("serves beside it, shown here");
    await page.getByRole("link", { name: "accuracy", exact: true }).click();
    await page.getByRole("button").click();

    // what the protocol's own route says of these rows, row by row, and which classes the package's table has
    const found = await Promise.all(["1", "2"].map((version) => inferredOf(version)));
    const [first, second] = found as [Inferred, Inferred];
    const percent = (100 * second.right) / second.outputs.length;
    expect(await page.locator("h1").textContent()).toBe(`The accuracy is ${percent.toFixed(2)} %`);
    expect(first.outputs).not.toEqual(second.outputs);
    await page.getByRole("link", { name: `${second.right} right` }).click();
    expect(await page.locator("caption").textContent()).toMatch(`of ${second.right};`);
    expect(new URL(page.url()).search).toBe("?name=rows&version=2&only=right");
    await page.getByRole("link", { name: "Next" }).click();
    await page.getByRole("link", { name: "Try row" }).first().click();
    expect(await page.locator(".lead").textContent()).toContain("rows, version 2");
    for (const [version, { outputs, right }] of [
      ["1", first],
      ["2", second],
    ] as const) {
      const query = `?name=rows&version=${version}`;
      const { body } = await ask(`${served.host.url}/predictions${query}`);
      const predictions = body.predictions as { probability: number }[];
      expect(predictions.map(({ probability }) => probability)).toEqual(
        outputs.map((value) => expect.closeTo(value, 6)),
      );
      const accuracy = await ask(`${served.host.url}/accuracy${query}`);
      expect(accuracy.body).toMatchObject({
        model: { name: "rows", version },
        accuracy: (100 * right) / outputs.length,
      });
    }
    expect(incidents).toEqual([]);
    for (const [path, reason] of [
      ["/predictions?name=rows&version=3", "rows 3 does not serve here"],
      ["/accuracy?name=fib", "fib takes no rows of numbers"],
      ["/model?name=none", "none does not serve here"],
    ] as const) {
      const { status, body } = await ask(`${served.host.url}${path}`);
      expect([status, (body.error as { message: string }).message]).toEqual([404, expect.stringContaining(reason)]);
    }
  });

  interface Inferred {
    outputs: number[];
    /** Rows whose class is the table's, above one half. */
    right: number;
  }

  async function inferredOf(version: string): Promise<Inferred> {
    const variant = version === "1" ? "production" : "development";
    const { data = "", card } = await importModel(exampleModel(variant));
    const lines = data
      .trim()
      .split("\n")
      .map((line) => line.split(",").map(Number));
    const table = lines.filter((cells) => cells.every(Number.isFinite));
    const features = card.rows?.input.features ?? 0;
    const rows = table.map((cells) => cells.slice(0, features));
    const inputs = [
      { name: card.inputs[0]?.name, datatype: "FP32", shape: [rows.length, features], data: rows.flat() },
    ];
    const { body } = await ask(`${served.host.url}/v2/models/rows/versions/${version}/infer`, { inputs });
    const [{ data: outputs }] = body.outputs as [{ data: number[] }];
    const right = outputs.filter((value, row) => Number(value > 0.5) === table[row]?.at(-1)).length;
    return { outputs, right };
  }
});
