import { whileStopped } from "../cloud/control.ts";
import { resetState } from "../cloud/snapshots/reset.ts";
import {
  deleteSnapshot,
  demandNewName,
  demandSnapshot,
  listSnapshots,
  restoreSnapshot,
  type Snapshot,
  takeSnapshot,
} from "../cloud/snapshots/snapshots.ts";
import { readInstance, stateFiles } from "../cloud/store/state.ts";
import { SlipwayError } from "../common/errors.ts";
import { forgetStacksIn, startOf } from "./embedded-cloud.ts";
import type { CloudPlace } from "./named-clouds.ts";
import type { Reporter } from "./ui/reporter.ts";

/** What these actions are given of the command line. */
interface Asked {
  what?: string | undefined;
  yes: boolean;
  delete: boolean;
}

type Action = (place: CloudPlace, args: Asked, reporter: Reporter) => Promise<void>;

/** The actions of `slipway cloud` that are about all that a cloud holds. */
export const stateActions = { reset, snapshot, restore, snapshots } satisfies Record<string, Action>;

/** @throws SlipwayError E_USAGE, E_LEFTOVERS */
async function reset(place: CloudPlace, { yes }: Asked, reporter: Reporter): Promise<void> {
  demandCloud(place);
  if (!yes) throw new SlipwayError("E_USAGE", "a reset ends all that is in the cloud", { hint: "Add --yes." });
  await reporter.phase("reset", "embedded cloud as new", async () => {
    await whileStopped(startOf(place), () => resetState(place.stateDir));
    await forgetStacksIn(place);
  });
  reporter.result(
    { ok: true, timings: reporter.timings },
    "the cloud is empty; its address and passwords are the same",
  );
}

/** @throws SlipwayError E_USAGE, E_STATE_UNWRITABLE */
async function snapshot(place: CloudPlace, args: Asked, reporter: Reporter): Promise<void> {
  demandCloud(place);
  const name = requireName(args);
  if (args.delete) {
    await deleteSnapshot(place.stateDir, name);
    reporter.result({ ok: true, deleted: name }, `the snapshot ${name} is gone`);
    return;
  }
  await demandNewName(place.stateDir, name);
  const made = await reporter.phase("snapshot", `snapshot ${name}`, () =>
    whileStopped(startOf(place), () => takeSnapshot(place.stateDir, name)),
  );
  reporter.result({ ok: true, snapshot: made, timings: reporter.timings }, describe(made));
}

/** @throws SlipwayError E_USAGE, E_LEFTOVERS, E_STATE_UNWRITABLE */
async function restore(place: CloudPlace, args: Asked, reporter: Reporter): Promise<void> {
  demandCloud(place);
  const name = requireName(args);
  const found = await demandSnapshot(place.stateDir, name);
  if (!args.yes) {
    throw new SlipwayError("E_USAGE", "what is in the cloud now ends when a snapshot is restored", {
      hint: "Add --yes.",
    });
  }
  await reporter.phase("restore", `snapshot ${name} restored`, () =>
    whileStopped(startOf(place), () => restoreSnapshot(place.stateDir, name)),
  );
  reporter.result(
    { ok: true, snapshot: found, timings: reporter.timings },
    `the cloud is as it was: ${describe(found)}`,
  );
}

async function snapshots(place: CloudPlace, _args: Asked, reporter: Reporter): Promise<void> {
  const found = await listSnapshots(place.stateDir);
  const text = found.length === 0 ? "there are no snapshots" : found.map(describe).join("\n");
  reporter.result({ ok: true, snapshots: found }, text);
}

function demandCloud({ stateDir }: CloudPlace): void {
  if (readInstance(stateFiles(stateDir).database) !== undefined) return;
  throw new SlipwayError("E_USAGE", "there is no embedded cloud yet", { hint: "Run `slipway cloud start`." });
}

function requireName({ what }: Asked): string {
  if (what !== undefined) return what;
  const hint = "Write it behind the action; `slipway cloud snapshots` lists what there is.";
  throw new SlipwayError("E_USAGE", "a snapshot's name is missing", { hint });
}

function describe({ name, madeAt, servers, bytes }: Snapshot): string {
  const count = `${servers} ${servers === 1 ? "server" : "servers"}`;
  return `${name}, of ${madeAt}: ${count}, ${(bytes / 1e6).toFixed(1)} MB`;
}
