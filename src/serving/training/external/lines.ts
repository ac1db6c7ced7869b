import { StringDecoder } from "node:string_decoder";

/** A longer line is told in its first part; the rest up to its end is dropped. */
export const LINE_BYTES = 8192;

/** Cuts a stream of bytes into lines, with memory for one line. */
export class LineReader {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #line = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Uint8Array): void {
    const [rest, ...others] = this.#decoder.write(Buffer.from(bytes)).split("\n");
    this.#append(rest ?? "");
    for (const next of others) {
      this.#tell();
      this.#append(next);
    }
  }

  /** The stream has ended: what stands without a line break is a line, too. */
  end(): void {
    this.#append(this.#decoder.end());
    if (this.#line !== "") this.#tell();
  }

  #append(text: string): void {
    if (this.#line.length < LINE_BYTES) this.#line += text.slice(0, LINE_BYTES - this.#line.length);
  }

  #tell(): void {
    const line = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
    this.#line = "";
    this.#onLine(line);
  }
}
