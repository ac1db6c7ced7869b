/** What a model throws for a question that makes no sense to it: the caller's mistake, not the model's. */
export class RejectedInputError extends Error {
  override readonly name = "RejectedInputError";
}
