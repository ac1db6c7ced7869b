import { nameOf } from "../../engine/embedded/urn.ts";
import { isUnknownSentinel } from "../../engine/embedded/values/wire.ts";
import type { MaskedJson, StepOperation } from "../../engine/events.ts";
import type { Page } from "../ui/page.ts";
import { printable } from "../ui/reporter.ts";
import { changedLines } from "./line-diff.ts";
import type { OutputChange, Plan, PlannedChange, PlannedProperty } from "./plan.ts";
import { shownValue } from "./shown-value.ts";

/** Of a long text's differences, so many lines are shown. */
const mostLines = 12;

const [green, yellow, red, magenta, grey] = [32, 33, 31, 35, 2];
const signs: Partial<Record<StepOperation, readonly [sign: string, sgr: number]>> = {
  create: ["+", green],
  update: ["~", yellow],
  delete: ["-", red],
  replace: ["±", magenta],
  discard: ["-", grey],
  import: ["=", green],
};

/** `Instance web` of a resource's URN and type. */
export function resourceTitle({ urn, type }: { urn: string; type: string }): string {
  return `${type.split(":").at(-1) ?? type} ${printable(nameOf(urn))}`;
}

/** A plan for people: each resource that would change, why, each property, what follows from it; then the stack's outputs. */
export function planText(plan: Plan, page: Page): string[] {
  const { changes, outputs } = plan;
  const titles = new Map(changes.map((change) => [change.urn, resourceTitle(change)]));
  const lines = changes.flatMap((change) => [
    ...titleLines(change, titles, page),
    ...propertyLines(change, titles, page),
  ]);
  if (outputs.length === 0) return lines;
  return [
    ...lines,
    ...(lines.length > 0 ? [""] : []),
    "outputs that change:",
    ...outputs.map((output) => outputLine(output, page)),
  ];
}

function titleLines(change: PlannedChange, titles: ReadonlyMap<string, string>, { width, paint }: Page): string[] {
  const [sign, sgr] = signs[change.operation] ?? [">", grey];
  const why = change.operation === "replace" ? `: ${replacement(change, titles)}` : "";
  const [first = "", ...more] = wrapped(`${resourceTitle(change)}${why}`, width - 4);
  return [`${paint(sgr, sign)} ${first}`, ...more.map((line) => `    ${line}`)];
}

/** Text in lines that are broken between words. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `replaced because userData changed; the old one goes first`. */
function replacement(
  { reasons, properties, oldGoesFirst }: PlannedChange,
  titles: ReadonlyMap<string, string>,
): string {
  const order = oldGoesFirst ? "; the old one goes first" : "";
  if (reasons.length === 0) return `replaced${order}`;
  const causes = [
    ...new Set(reasons.map((reason) => rootOf(properties, reason)?.follows).filter((urn) => urn !== undefined)),
  ];
  const names = reasons.join(", ");
  if (causes.length === 0) return `replaced because ${names} changed${order}`;
  const with_ = causes.map((urn) => titles.get(urn) ?? nameOf(urn)).join(", ");
  return `replaced along with ${with_}, through ${names}${order}`;
}

function rootOf(properties: readonly PlannedProperty[], reason: string): PlannedProperty | undefined {
  return properties.find(
    ({ path }) => path === reason || path.startsWith(`${reason}.`) || path.startsWith(`${reason}[`),
  );
}

function propertyLines(change: PlannedChange, titles: ReadonlyMap<string, string>, page: Page): string[] {
  return change.properties.flatMap((property) => {
    const { path, before, after, follows } = property;
    const name = `    ${printable(path)}: `;
    if (isText(before) && isText(after) && isMultiline(before, after))
      return [name.trimEnd(), ...textLines(before, after, page)];
    const source = follows === undefined ? undefined : (titles.get(follows) ?? nameOf(follows));
    return [`${name}${arrow(before, after, source, page.width - name.length, page)}`];
  });
}

function isText(value: MaskedJson | undefined): value is string {
  return typeof value === "string" && !isUnknownSentinel(value);
}

/** Texts of several lines are shown by the lines that changed. */
function isMultiline(before: string, after: string): boolean {
  return before.trimEnd().includes("\n") || after.trimEnd().includes("\n");
}

function textLines(before: string, after: string, page: Page): string[] {
  const changed = changedLines(before, after);
  const lines = changed.slice(0, mostLines).map(({ sign, text }) => {
    const line = excerpt(`${sign} ${printable(text)}`, 0, page.width - 6);
    return `      ${page.paint(sign === "+" ? green : red, line)}`;
  });
  const more = changed.length - lines.length;
  return more > 0 ? [...lines, `      … and ${more} more changed lines`] : lines;
}

function outputLine({ name, before, after }: OutputChange, page: Page): string {
  const sign =
    before === undefined
      ? page.paint(green, "+")
      : after === undefined
        ? page.paint(red, "-")
        : page.paint(yellow, "~");
  const shownName = printable(name);
  const room = page.width - shownName.length - 6;
  const change =
    before === undefined
      ? excerpt(known(after, undefined) ?? shown(after), 0, room)
      : after === undefined
        ? excerpt(shown(before), 0, room)
        : arrow(before, after, undefined, room, page);
  return `  ${sign} ${shownName}: ${change}`;
}

function arrow(
  before: MaskedJson | undefined,
  after: MaskedJson | undefined,
  source: string | undefined,
  room: number,
  page: Page,
): string {
  const left = room - 3;
  const later = known(after, source);
  const [old, now] =
    later === undefined
      ? apart(shown(before), shown(after), left)
      : [excerpt(shown(before), 0, Math.max(16, left - later.length)), later];
  return `${page.paint(grey, old)} → ${now}`;
}

function known(what: MaskedJson | undefined, source: string | undefined): string | undefined {
  if (typeof what !== "string" || !isUnknownSentinel(what)) return undefined;
  return source === undefined ? "will be known after up" : `will be known after ${source} is made`;
}

function shown(what: MaskedJson | undefined): string {
  return printable(shownValue(what));
}

/** Two texts, shortened to share the room, so that where they begin to differ is seen. */
function apart(before: string, after: string, room: number): [string, string] {
  const half = Math.max(16, Math.floor(room / 2));
  const [left, right] = [Math.max(half, room - after.length), Math.max(half, room - before.length)];
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  const start = same > half - 8 && Math.max(before.length, after.length) > half ? same - 4 : 0;
  return [excerpt(before, start, left), excerpt(after, start, right)];
}

function excerpt(text: string, start: number, room: number): string {
  const from = start > 0 ? `…${text.slice(start)}` : text;
  return from.length > room ? `${from.slice(0, Math.max(1, room - 1))}…` : from;
}
