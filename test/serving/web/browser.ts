import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findCommand } from "../../../src/cloud/host-packages.ts";

/** Where screenshots are left; git ignores it. */
const screenshots = fileURLToPath(new URL("../../../test-artifacts/screenshots", import.meta.url));

/** Debian's Chromium, as `npm test` installs it. */
export const browserPath = await findCommand("chromium");

/** Starts the browser; the test must close it. It sees the test's own pages only, and as root it has no sandbox. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ ...(browserPath && { executablePath: browserPath }), chromiumSandbox: false });
}

/** A page and everything that it did beyond being shown. */
export interface WatchedPage {
  page: Page;
  /** Console messages, uncaught errors, dialogs, and requests to anywhere but the page's own server. */
  incidents: string[];
}

/** Opens an empty page in a context of its own; paths are those of `origin`. */
export async function openPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ baseURL: origin, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const incidents: string[] = [];
  page.on("console", (message) => incidents.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => incidents.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    incidents.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined);
  });
  page.on("request", (request) => {
    const { origin: asked, protocol } = new URL(request.url());
    if (asked !== origin && protocol !== "data:") incidents.push(`request: ${request.url()}`);
  });
  return { page, incidents };
}

/** What axe finds wrong with the page as it is shown, by all rules or these: one line a rule, with the first element. */
export async function accessibilityProblems(page: Page, rules?: string[]): Promise<string[]> {
  const options: axe.RunOptions = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  await page.evaluate(`if (!globalThis.axe) { ${axe.source} } undefined`); // its value, all of axe, need not come back
  const { violations } = (await page.evaluate(`axe.run(${JSON.stringify(options)})`)) as axe.AxeResults;
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`);
}

/** Pixels by which the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}

/** Leaves a picture of the whole page for people to look at. */
export async function takeScreenshot(page: Page, name: string): Promise<void> {
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

/** Presses Tab until the element with this text, or the field with this label, has the focus. */
export async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 100; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(
      "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()",
    );
    if (focused === name) return;
  }
  throw new Error(`Tab does not reach "${name}"`);
}
