/**
 * The serving path beside other ways to serve the same model: a plain program with the model in its own process, LitServe, BentoML,
 * MLServer, and Flask with Celery. All are up at once and asked one after the other in every round. Prints Markdown; progress goes to standard
 * error. Needs root, Python 3 and Debian's and Python's package archives; what it installs stays below the cache.
 *
 *     node_modules/.bin/node bench/serving.ts [--paths json,batch] [--nets small,heavy] [--rounds 5] [--seconds 3] [--quick] [--no-kills]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machineLine } from "./report.ts";
import { killHead, killRow, killRuntimesUnderLoad } from "./serving/kills.ts";
import { heavyNet, smallNet } from "./serving/nets.ts";
import { paths } from "./serving/paths.ts";
import { type Effort, measureRounds } from "./serving/rounds.ts";
import { resultTable, targetTable } from "./serving/tables.ts";

const { values: asked } = parseArgs({
  options: {
    paths: { type: "string", default: paths.map(({ key }) => key).join() },
    nets: { type: "string", default: "small,heavy" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    kills: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const CONNECTIONS = 64;
const effort: Effort = {
  rounds: asked.quick ? 1 : Number(asked.rounds),
  seconds: asked.quick ? 1 : Number(asked.seconds),
  connections: CONNECTIONS,
};
const chosen = asked.paths.split(",").map((key) => {
  const path = paths.find((each) => each.key === key);
  if (path === undefined) throw new Error(`no path ${key}; there are ${paths.map((each) => each.key).join(", ")}`);
  return path;
});
const nets = [await smallNet(), heavyNet()].filter(({ name }) => asked.nets.split(",").includes(name));
const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));
try {
  console.log(`${machineLine(effort.rounds)}; ${effort.seconds} s each. Medians, least and most in brackets.`);
  for (const net of nets) {
    const results = await measureRounds(net, chosen, effort, folder, (line) => console.error(line));
    console.log(`\n${resultTable(net, results, CONNECTIONS)}\n\n${targetTable(net, results)}`);
  }
  if (asked.kills) {
    console.log(`\n${killHead}`);
    for (const net of nets) {
      console.log(killRow(net, await killRuntimesUnderLoad(net, CONNECTIONS, join(folder, `kills-${net.name}`))));
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
