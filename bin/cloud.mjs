// `import { startCloud } from "slipway/cloud"`: the embedded cloud for other projects' tests, see docs/how-to/cloud-in-tests.md.
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";

const source = new URL("../src/", import.meta.url).href;

// Node takes the types off TypeScript of its own, but not below node_modules, where this package is when it was installed
if (source.includes("/node_modules/")) {
  registerHooks({
    load(url, context, next) {
      if (!url.startsWith(source) || !url.endsWith(".ts")) return next(url, context);
      const text = readFileSync(fileURLToPath(url), "utf8");
      return { format: "module", source: stripTypeScriptTypes(text), shortCircuit: true };
    },
  });
}

export const { startCloud } = await import("../src/cloud/library.ts");
