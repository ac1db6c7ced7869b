import type { DiffResult, PropertyMap } from "../engine/resource-provider.ts";
import type { ResourceKind } from "./kind.ts";
import { changesBetween, diffKind, rootOf } from "./schema/diff.ts";
import { defaultsKey, isZero, textsOf } from "./schema/values.ts";

/** What has to happen to a resource, by its state and its new inputs. */
export function verdictOn(
  kind: ResourceKind,
  olds: PropertyMap,
  news: PropertyMap,
  ignoreChanges: string[],
): DiffResult {
  const changes = changesBetween(kind.properties, olds, news).filter(({ path }) => !isIgnored(path, ignoreChanges));
  const broken = kind.brokenBy?.(olds);
  if (broken !== undefined && !changes.some(({ path }) => path === broken)) {
    changes.push({ path: broken, kind: "update", replace: true });
  }
  for (const change of changes) if (change.path === broken) change.replace = true;
  changes.sort((a, b) => (a.path < b.path ? -1 : 1));
  const replaces = [...new Set(changes.filter(({ replace }) => replace).map(({ path }) => rootOf(path)))].sort();
  return {
    changes: changes.length > 0,
    replaces,
    deleteBeforeReplace: replaces.length > 0 && mustGoFirst(kind, olds, news),
    detailedDiff: Object.fromEntries(
      changes.map((change) => [change.path, { kind: diffKind(change), inputDiff: false }] as const),
    ),
  };
}

/** A name that the program gave may be unique, so the old object goes first; made-up names are new on replacement. */
function mustGoFirst(kind: ResourceKind, olds: PropertyMap, news: PropertyMap): boolean {
  const knowsDefaults = news[defaultsKey] !== undefined;
  const named = kind.autoName && knowsDefaults && !isZero(news.name) && !textsOf(news, defaultsKey).includes("name");
  return named || (kind.excludesOld?.(olds, news) ?? false);
}

function isIgnored(path: string, ignoreChanges: string[]): boolean {
  return ignoreChanges.some((one) => path === one || path.startsWith(`${one}.`) || path.startsWith(`${one}[`));
}
