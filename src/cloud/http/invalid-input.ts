import type { z } from "zod";
import { ApiError } from "./api-error.ts";
import { schemaWords } from "./json-schema-words.ts";

/** A body, or a part of one, that does not fit; told in Nova's words unless the service that answers has others. */
export class InvalidInput extends ApiError {
  readonly issues: readonly z.core.$ZodIssue[];
  readonly body: unknown;

  constructor(issues: readonly z.core.$ZodIssue[], body: unknown) {
    super(400, schemaWords(issues, body), "HTTPBadRequest");
    this.issues = issues;
    this.body = body;
  }
}
