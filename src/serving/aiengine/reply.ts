/**
 * The engine's one-character replies: `0` done, `M` something needed is missing, `F` a wrong value, `I` an unknown key, `R` busy, `N` no
 * such model, `S` no model is set up, `i` a defect.
 */
export type ReplyCode = "0" | "M" | "F" | "I" | "R" | "N" | "S" | "i";

/** What a caller is told: a character, or more where all went well. */
export interface Reply {
  body: string;
  /** `application/json`, or text. */
  json?: boolean;
  /** For people: why it is not what was asked for. */
  reason?: string;
}

/** A reply of one character. */
export function reply(code: ReplyCode, reason?: string): Reply {
  return { body: code, ...(reason !== undefined && { reason }) };
}

/** Ends what a request does with a reply of one character. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: ReplyCode;

  constructor(code: ReplyCode, reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.code = code;
  }
}
