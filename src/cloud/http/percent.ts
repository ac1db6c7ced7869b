/** The bytes that a text in UTF-8 stands for; a `%` that no two hex digits follow stands for itself, as in Python. */
export function percentDecoded(text: string | Buffer): Buffer {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  const decoded = Buffer.alloc(bytes.length);
  let size = 0;
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === 0x25 ? bytes.toString("latin1", at + 1, at + 3) : "";
    const isEncoded = /^[0-9a-f]{2}$/i.test(hex);
    decoded[size++] = isEncoded ? Number.parseInt(hex, 16) : (bytes[at] ?? 0);
    if (isEncoded) at += 2;
  }
  return decoded.subarray(0, size);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that bytes are; undefined for what is no UTF-8 or has a NUL in it. */
export function textOf(bytes: Buffer): string | undefined {
  try {
    const text = utf8.decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** What a header with a percent-encoded path in it says, also where the bytes come as they are; undefined as for {@link textOf}. */
export function headerText(value: string): string | undefined {
  return textOf(percentDecoded(Buffer.from(value, "latin1")));
}

/** As Python's `quote` writes it: all bytes but letters, digits, `_.-~` and slashes in percent. */
export function pythonQuoted(text: string | Buffer): string {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  return bytes
    .toString("latin1")
    .replace(/[^\w.~/-]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
