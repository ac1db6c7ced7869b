import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importModel } from "../../../src/serving/models/import.ts";
import { exampleModel } from "../support.ts";
import { accessibilityProblems, browserPath, openPage, overflow, takeScreenshot } from "./browser.ts";
import { type ServedPages, servePages } from "./served-pages.ts";

const press = (page: Page, name: string) => page.getByRole("button", { name }).click();

/** Opens the form with a row that travels with the model, types over it, and sends it. */
async function send(page: Page, typed: Record<string, string>): Promise<void> {
  await page.goto("/predict?row=3");
  for (const [label, text] of Object.entries(typed)) await page.getByLabel(label).fill(text);
  await press(page, "Predict");
}

/** Every page: how one gets there, and what the browser itself says of it. */
const views: { name: string; open: (page: Page) => Promise<unknown>; says?: string }[] = [
  { name: "welcome", open: (page) => page.goto("/") },
  { name: "model", open: (page) => page.goto("/model") },
  { name: "form", open: (page) => page.goto("/predict") },
  { name: "form-answered", open: (page) => send(page, {}) },
  { name: "form-outside", open: (page) => send(page, { glucose: "500" }) },
  { name: "form-refused", open: (page) => send(page, { glucose: "high", "body mass": "33,6", pedigree: "" }) },
  { name: "predictions-asked", open: (page) => page.goto("/predictions") },
  { name: "predictions", open: (page) => page.goto("/predictions").then(() => press(page, "Predict")) },
  { name: "predictions-class", open: (page) => page.goto("/predictions?page=2&class=1&only=wrong") },
  { name: "accuracy-asked", open: (page) => page.goto("/accuracy") },
  { name: "accuracy", open: (page) => page.goto("/accuracy").then(() => press(page, "Compute the accuracy")) },
  {
    name: "live",
    open: (page) => page.goto("/live").then(() => page.locator('#live-status[data-state="live"]').waitFor()),
  },
  {
    name: "failure",
    open: (page) => page.goto("/nowhere"),
    says: "console error: Failed to load resource: the server responded with a status of 404 (Not Found)",
  },
];

describe.skipIf(!browserPath)(`the pages in Chromium${browserPath ? "" : " (chromium is not installed)"}`, () => {
  let served: ServedPages;
  beforeAll(async () => {
    served = await servePages(await importModel(exampleModel("development")));
  });
  afterAll(() => served?.end());

  describe.each([390, 1280])("at %i px, light and dark", (width) => {
    it.each(views)("$name: accessible, within its width, silent", async ({ name, open, says }) => {
      const { page, incidents } = await openPage(served.browser, served.host.url, { viewport: { width, height: 720 } });
      await open(page);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const light = colorScheme === "light";
        if (light || width === 1280) await takeScreenshot(page, `${name}-${width}-${colorScheme}`);
        // nothing but colours depends on the scheme
        const rules = light ? undefined : ["color-contrast"];
        expect(await accessibilityProblems(page, rules), colorScheme).toEqual([]);
      }
      expect(await overflow(page)).toBe(0);
      expect(incidents).toEqual(says ? [says] : []);
      await page.context().close();
    });
  });
});
