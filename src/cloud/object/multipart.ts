import { randomBytes } from "node:crypto";
import type { Piece, Whole } from "./pieces.ts";
import type { Span } from "./range.ts";

/** An answer that is made of several parts of a content. */
interface Multipart {
  /** The answer's own type. */
  type: string;
  /** Bytes. */
  length: number;
  pieces: Iterable<Piece>;
}

/**
 * Several parts of a content in one answer (RFC 9110 §14.6).
 * @param type of the content
 * @param size of the content, bytes
 */
export function multipart(spans: Span[], whole: Whole, type: string, size: number): Multipart {
  const boundary = randomBytes(16).toString("hex");
  const headOf = ({ start, end }: Span) =>
    Buffer.from(
      `--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${start}-${end}/${size}\r\n\r\n`,
      "latin1",
    );
  const [gap, last] = [Buffer.from("\r\n"), Buffer.from(`--${boundary}--`)];
  const length = spans.reduce(
    (sum, span) => sum + headOf(span).length + span.end - span.start + 1 + gap.length,
    last.length,
  );
  function* pieces() {
    for (const span of spans) {
      yield literal(headOf(span));
      yield* whole.pieces(span.start, span.end);
      yield literal(gap);
    }
    yield literal(last);
  }
  return { type: `multipart/byteranges;boundary=${boundary}`, length, pieces: pieces() };
}

function literal(data: Buffer): Piece {
  return { from: { data }, start: 0, size: data.length };
}
