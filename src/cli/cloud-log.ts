import { earlierLog } from "../cloud/bounded-log.ts";
import { daemonFiles } from "../cloud/daemon-info.ts";
import type { AnsweredRequest } from "../cloud/http/request-log.ts";
import { ExitCode } from "../common/error-catalogue.ts";
import { readTextIfExists, sizeOf } from "../common/files.ts";
import { addedLines } from "../common/follow-file.ts";
import type { CloudPlace } from "./named-clouds.ts";
import { printable, type Reporter } from "./ui/reporter.ts";

interface Asked {
  requests: boolean;
  follow: boolean;
  lines: number;
}

/** A line of a log: as programs get it, and as people do. */
interface Line {
  object: Record<string, unknown>;
  text: string;
}

/** Prints the end of the cloud's log, or of the list of requests that it answered; with `--follow` what is added, until Ctrl-C. */
export async function showLog(
  { stateDir }: CloudPlace,
  { requests, follow, lines }: Asked,
  reporter: Reporter,
  { signal: interrupted, readerGone }: { signal: AbortSignal; readerGone: AbortSignal },
): Promise<void> {
  const files = daemonFiles(stateDir);
  const path = requests ? files.requests : files.log;
  const lineOf = requests ? requestLine : daemonLine;
  const end = await sizeOf(path);
  const text = `${(await readTextIfExists(earlierLog(path))) ?? ""}${(await readTextIfExists(path)) ?? ""}`;
  const last = text.split("\n").slice(0, -1);
  const shown = last.slice(Math.max(0, last.length - lines)).map(lineOf);
  if (!follow) {
    reporter.result({ ok: true, lines: shown.map(({ object }) => object) }, shown.map((line) => line.text).join("\n"));
    return;
  }
  const show = ({ object, text: words }: Line) =>
    reporter.part({ type: requests ? "request" : "line", ...object }, words);
  for (const line of shown) show(line);
  for await (const line of addedLines(path, end, AbortSignal.any([interrupted, readerGone]))) show(lineOf(line));
  reporter.result({ ok: true }, "");
  if (interrupted.aborted) process.exitCode = ExitCode.interrupted;
}

const daemonLine = (line: string): Line => ({ object: { line }, text: printable(line) });

function requestLine(line: string): Line {
  const request = JSON.parse(line) as AnsweredRequest;
  const { at, method, url, status, ms, user = "-", project = "-", id } = request;
  const text = `${at} ${status} ${method} ${url} ${ms} ms ${user}/${project} ${id}`;
  return { object: { ...request }, text: printable(text) };
}
