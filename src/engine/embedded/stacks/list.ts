import { messageOf } from "../../../common/errors.ts";
import { namesIn } from "../../../common/files.ts";
import type { Project } from "../project/project.ts";
import { stacksWithFile } from "../project/stack-file.ts";
import { hasState, stacksWithState } from "../state/backend.ts";
import { pathsOf, requireRawCheckpoint, type StackPlace } from "./place.ts";

/** One of a project's stacks. */
export interface StackSummary {
  name: string;
  /** When its state was saved last, RFC 3339; undefined for one without state. */
  lastUpdate: string | undefined;
  /** Undefined for one without state. */
  resourceCount: number | undefined;
  updateInProgress: boolean;
  /** Why its state cannot be read. */
  problem: string | undefined;
}

/** The stacks of a project that have a file or state, by name. */
export async function listStacks(project: Project, backendUrl: string): Promise<StackSummary[]> {
  const [files, states] = await Promise.all([stacksWithFile(project), stacksWithState(backendUrl, project.name)]);
  const names = [...new Set([...files, ...states])].sort();
  return Promise.all(names.map((stack) => summaryOf({ backendUrl, project: project.name, stack })));
}

async function summaryOf(place: StackPlace): Promise<StackSummary> {
  const paths = pathsOf(place);
  const updateInProgress = (await namesIn(paths.locks)).some((name) => name.endsWith(".json"));
  const summary = { name: place.stack, lastUpdate: undefined, resourceCount: undefined, problem: undefined };
  try {
    if (!(await hasState(paths))) return { ...summary, updateInProgress };
    const { latest } = (await requireRawCheckpoint(place)).checkpoint as {
      latest?: { manifest?: { time?: string }; resources?: unknown[] };
    };
    const resourceCount = latest?.resources?.length ?? 0;
    return { ...summary, updateInProgress, lastUpdate: latest?.manifest?.time, resourceCount };
  } catch (error) {
    return { ...summary, updateInProgress, problem: messageOf(error) };
  }
}
