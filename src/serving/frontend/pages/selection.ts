import { z } from "zod";
import { classOf } from "../../models/card.ts";
import { HttpError } from "../errors.ts";
import type { Evaluation } from "../models/evaluation.ts";

/** Which predictions to show: those of one predicted class, those that are right or wrong, or all. */
export interface Filter {
  class?: number | undefined;
  only?: "right" | "wrong" | undefined;
}

/** One page of the predictions that a filter lets through. */
export interface Selection {
  filter: Filter;
  /** From 1. */
  page: number;
  pages: number;
  /** How many rows the filter lets through. */
  matching: number;
  /** The page's rows, counted from 0 in the table. */
  rows: number[];
}

const PAGE_ROWS = 25;

const count = z
  .string()
  .regex(/^\d{1,9}$/, "is not a whole number")
  .transform(Number);
export const pageQuerySchema = z.object({
  page: count.optional(),
  class: count.optional(),
  only: z.enum(["right", "wrong"], "is neither right nor wrong").optional(),
});

export type PageQuery = z.infer<typeof pageQuerySchema>;

/** Reads `?page=2&class=1&only=wrong`. Throws HttpError 400. */
export function parsePageQuery(query: unknown): PageQuery {
  const { data, error } = pageQuerySchema.safeParse(query);
  if (data) return data;
  const issue = error.issues[0];
  throw new HttpError(400, "QUERY_INVALID", `"${issue?.path.join(".")}" in the address ${issue?.message}`);
}

/** Throws HttpError 404 for a page that there is not. */
export function select(evaluation: Evaluation, { page = 1, ...filter }: PageQuery): Selection {
  const matching = rowsMatching(evaluation, filter);
  const pages = Math.max(1, Math.ceil(matching.length / PAGE_ROWS));
  if (page < 1 || page > pages) throw new HttpError(404, "NOT_FOUND", `there is no page ${page}; the last is ${pages}`);
  return {
    filter,
    page,
    pages,
    matching: matching.length,
    rows: matching.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS),
  };
}

/** The rows that a filter lets through. Without true classes no row is right or wrong. */
export function rowsMatching({ predictions, labels }: Evaluation, filter: Filter): number[] {
  return [...predictions.keys()].filter((row) => {
    const predicted = classOf(predictions[row]);
    if (filter.class !== undefined && predicted !== filter.class) return false;
    return (
      filter.only === undefined || (labels !== undefined && (predicted === labels[row]) === (filter.only === "right"))
    );
  });
}
