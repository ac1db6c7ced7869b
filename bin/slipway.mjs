#!/usr/bin/env node
import { ensurePackages, handOver } from "../scripts/lib/setup.mjs";

await ensurePackages();
process.exitCode = await handOver("src/cli/main.ts", process.argv.slice(2));
