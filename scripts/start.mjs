// `npm start`: from nothing to a served prediction on the embedded cloud.
import { ensurePackages, handOver } from "./lib/setup.mjs";

await ensurePackages();
process.exitCode = await handOver("src/cli/main.ts", ["quickstart", ...process.argv.slice(2)]);
