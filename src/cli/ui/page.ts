/** What lines are written on. */
export interface Page {
  /** Columns; values are shortened to fit. */
  width: number;
  /** Gives text a colour (an SGR code), where there are colours. */
  paint: (sgr: number, text: string) => string;
}

/** For files and programs. */
export const plainPage: Page = { width: 120, paint: (_, text) => text };

/** Standard output: its terminal's width, coloured where that is wanted; a plain page where it is no terminal. */
export function stdoutPage(
  env: NodeJS.ProcessEnv = process.env,
  { isTTY, columns }: { isTTY?: boolean; columns?: number } = process.stdout,
): Page {
  if (!isTTY) return plainPage;
  const coloured = env.NO_COLOR === undefined && env.TERM !== "dumb";
  return {
    width: columns || plainPage.width,
    paint: coloured ? (sgr, text) => `\x1b[${sgr}m${text}\x1b[0m` : plainPage.paint,
  };
}
