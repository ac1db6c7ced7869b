/** A line that only the old (`-`) or only the new (`+`) text has. */
export interface ChangedLine {
  sign: "-" | "+";
  text: string;
}

/** Above this many pairs of lines to compare, the middle of two texts is shown as wholly replaced. */
const mostPairs = 4_000_000;

/** The lines in which two texts differ, in order: a longest common subsequence of lines stays. */
export function changedLines(before: string, after: string): ChangedLine[] {
  const olds = linesOf(before);
  const news = linesOf(after);
  let start = 0;
  while (start < olds.length && start < news.length && olds[start] === news[start]) start += 1;
  let end = 0;
  while (
    end < olds.length - start &&
    end < news.length - start &&
    olds[olds.length - 1 - end] === news[news.length - 1 - end]
  ) {
    end += 1;
  }
  return between(olds.slice(start, olds.length - end), news.slice(start, news.length - end));
}

function between(olds: readonly string[], news: readonly string[]): ChangedLine[] {
  const removed = (text: string): ChangedLine => ({ sign: "-", text });
  const added = (text: string): ChangedLine => ({ sign: "+", text });
  if (olds.length * news.length > mostPairs) return [...olds.map(removed), ...news.map(added)];
  const common = commonLengths(olds, news);
  const width = news.length + 1;
  const lines: ChangedLine[] = [];
  let [i, j] = [0, 0];
  while (i < olds.length || j < news.length) {
    const [old, now] = [olds[i], news[j]];
    if (old !== undefined && old === now) {
      i += 1;
      j += 1;
    } else if (
      now === undefined ||
      (old !== undefined && at(common, (i + 1) * width + j) >= at(common, i * width + j + 1))
    ) {
      lines.push(removed(old ?? ""));
      i += 1;
    } else {
      lines.push(added(now));
      j += 1;
    }
  }
  return lines;
}

/** Lengths of the longest common subsequences of all pairs of tails. */
function commonLengths(olds: readonly string[], news: readonly string[]): Uint16Array {
  const width = news.length + 1;
  const lengths = new Uint16Array((olds.length + 1) * width);
  for (let i = olds.length - 1; i >= 0; i -= 1) {
    for (let j = news.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        olds[i] === news[j]
          ? at(lengths, (i + 1) * width + j + 1) + 1
          : Math.max(at(lengths, (i + 1) * width + j), at(lengths, i * width + j + 1));
    }
  }
  return lengths;
}

function at(numbers: Uint16Array, index: number): number {
  return numbers[index] ?? 0;
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}
