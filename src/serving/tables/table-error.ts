/** `invalid`: a line does not fit the model, or is no CSV. `late`: the next row does not come. `torn`: the table ended early. */
export type TableFailure = "invalid" | "late" | "torn" | "too-large";

/** A table that cannot be read as rows. */
export class TableError extends Error {
  override readonly name = "TableError";
  readonly reason: TableFailure;

  constructor(reason: TableFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
