/** cloud-init's own words when the script that it makes of `runcmd` did not end well. Its service may still end as if all were well. */
const RUNCMD_FAILED = /Failed to run module scripts[-_]user/;

/** What cloud-init complained of on the console, where it did not get through `runcmd`; undefined where it did, or has not yet. */
export function runcmdFailure(console: string): string[] | undefined {
  if (!RUNCMD_FAILED.test(console)) return undefined;
  return linesOf(console).filter((line) => /cloud-init.*(WARNING|ERROR|CRITICAL)/.test(line));
}

/** The last lines of a console that say something. */
export function lastWords(console: string, count: number): string[] {
  return linesOf(console).slice(-count);
}

function linesOf(console: string): string[] {
  return console.split("\n").flatMap((line) => line.trim() || []);
}
