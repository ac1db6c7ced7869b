import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dashboardAddress } from "../../../src/cloud/dashboard/key.ts";
import {
  accessibilityProblems,
  browserPath,
  openPage,
  overflow,
  startBrowser,
  tabTo,
  takeScreenshot,
} from "../../serving/web/browser.ts";
import { TestCloud } from "../support.ts";

describe.skipIf(!browserPath)(
  `the cloud's page in Chromium${browserPath ? "" : " (chromium is not installed)"}`,
  () => {
    let cloud: TestCloud;
    let browser: Browser;
    beforeAll(async () => {
      cloud = await TestCloud.start();
      browser = await startBrowser();
      const { network } = await cloud.routedNetwork();
      await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId() });
      await cloud.bootServer({ name: "web", networks: [{ uuid: network.id }] });
      cloud.cloud.faults.arm("P12:no-valid-host", { times: 1 });
      await cloud.bootServer({ name: "<b>broken</b>", networks: [{ uuid: network.id }] });
    });
    afterAll(async () => {
      await browser?.close();
      await cloud?.remove();
    });

    async function open(options: BrowserContextOptions = {}) {
      const watched = await openPage(browser, cloud.base, options);
      await watched.page.goto((await dashboardAddress(cloud.stateDir, cloud.cloud.port)) ?? "");
      await watched.page.locator('#state[data-state="live"]').waitFor();
      return watched;
    }

    it.each([390, 1280])("at %i px shows what there is, live, accessible, light and dark", async (width) => {
      const { page, incidents } = await open({ viewport: { width, height: 800 } });
      expect(new URL(page.url()).hash).toBe("");
      await page.locator("#servers tr").nth(1).waitFor();
      const servers = await page.locator("#servers tr").allTextContents();
      expect(servers).toEqual([
        expect.stringMatching(/^<b>broken<\/b>ERROR: No valid host was found\. /),
        expect.stringMatching(/^webACTIVE10\.1\.0\.\d/),
      ]);
      expect(await page.locator("#networks tr").allTextContents()).toContainEqual(
        expect.stringContaining("10.1.0.0/24"),
      );
      expect(await page.locator("#floating-ips tr").count()).toBe(1);
      await cloud.get(`/compute/v2.1/flavors?from=${width}`);
      await page.locator("#requests tr", { hasText: `/compute/v2.1/flavors?from=${width}` }).waitFor();
      await cloud.make("network", { name: `made-${width}` });
      await page.locator("#networks tr", { hasText: `made-${width}` }).waitFor();
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await takeScreenshot(page, `cloud-${width}-${colorScheme}`);
        const rules = colorScheme === "light" ? undefined : ["color-contrast"];
        expect(await accessibilityProblems(page, rules), colorScheme).toEqual([]);
      }
      expect(await overflow(page)).toBe(0);
      expect(incidents).toEqual([]);
      await page.context().close();
    });

    it("is used with the keyboard: shows a console, arms and disarms a fault", async () => {
      const { page, incidents } = await open({ viewport: { width: 390, height: 800 } });
      await page.locator("#servers tr").nth(1).waitFor();
      const press = async (name: string) => {
        await page.getByRole("button", { name, exact: true }).focus();
        await page.keyboard.press("Enter");
      };
      await tabTo(page, "Console");
      await press("Console of web");
      await page.locator("#console-text", { hasText: "login:" }).waitFor();
      await page.keyboard.press("Escape");
      expect(await page.locator("#console").isVisible()).toBe(false);
      await press("Arm P03:fip-timeout-but-applied");
      await page.getByRole("button", { name: "Disarm P03:fip-timeout-but-applied" }).waitFor();
      expect(cloud.cloud.faults.list().map(({ id }) => id)).toContain("P03:fip-timeout-but-applied");
      await press("Disarm P03:fip-timeout-but-applied");
      await page.getByRole("button", { name: "Arm P03:fip-timeout-but-applied", exact: true }).waitFor();
      expect(cloud.cloud.faults.list().map(({ id }) => id)).not.toContain("P03:fip-timeout-but-applied");
      expect(incidents).toEqual([]);
      await page.context().close();
    });

    it("asks for the key where it has none, and for another where that is wrong", async () => {
      const { page } = await openPage(browser, cloud.base, { viewport: { width: 390, height: 600 } });
      await page.goto("/dashboard");
      await page.getByLabel("Key").waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await takeScreenshot(page, "cloud-login");
      await page.keyboard.type("wrong");
      await page.keyboard.press("Enter");
      await page.locator("#login-problem", { hasText: "not this cloud's" }).waitFor();
      expect(await page.locator("#servers").isVisible()).toBe(false);
      await page.getByLabel("Key").fill(await readFile(join(cloud.stateDir, "dashboard.key"), "utf8"));
      await page.keyboard.press("Enter");
      await page.locator('#state[data-state="live"]').waitFor();
      await page.reload(); // the key is kept as long as the tab
      await page.locator('#state[data-state="live"]').waitFor();
      await page.context().close();
    });
  },
);
