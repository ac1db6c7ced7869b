import { readFile } from "node:fs/promises";
import { installHostPackages, missingHostPackages } from "../../../src/cloud/host-packages.ts";
import { messageOf } from "../../../src/common/errors.ts";

// `npm test` runs this: installs the browser that the tests of the pages drive, or says why these tests will be skipped.
const missing = await missingHostPackages([
  { name: "chromium", command: "chromium", reason: "the tests of the pages show them in a real browser" },
]);
if (missing.length > 0) {
  const system = await readFile("/etc/os-release", "utf8").catch(() => "");
  const impossible = !/^ID=debian$/m.test(system)
    ? "only on Debian is it installed"
    : process.getuid?.() === 0
      ? undefined
      : "only root can install it";
  const reason = impossible ?? (await installHostPackages(missing, console.log).then(() => undefined, messageOf));
  if (reason) console.log(`chromium is missing and ${reason}: the tests of the pages are skipped`);
}
