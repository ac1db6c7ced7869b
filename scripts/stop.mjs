// `npm run stop`: takes down what `npm start` made and proves that nothing is left.
import { ensurePackages, handOver } from "./lib/setup.mjs";

await ensurePackages();
process.exitCode = await handOver("src/cli/main.ts", ["quickstart", "--stop", ...process.argv.slice(2)]);
