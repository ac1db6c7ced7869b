import { text } from "node:stream/consumers";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { reasonPhrase } from "../http/reasons.ts";
import { header } from "../identity/tokens.ts";

// Swift's bulk middleware: many objects and containers deleted by one request, each by a request of its own.

/** What came of a bulk delete. */
interface BulkResult {
  deleted: number;
  notFound: number;
  /** Names with the status that each got. */
  errors: [string, string][];
  status: string;
  body: string;
}

/** Swift's defaults. */
export const bulkLimits = { deletes: 10_000, failures: 1000, name: 3 * (256 + 1024 + 2) };

/** `POST /v1/AUTH_…?bulk-delete`: a name a line. */
export async function bulkDeleteRequest(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const format = bulkFormat(header(request, "accept"));
  const type = header(request, "content-type");
  const result =
    type !== undefined && !type.startsWith("text/plain")
      ? failed(406)
      : await bulkDelete(request.server, request, await names(request));
  return sendBulk(reply, format, result);
}

const failed = (status: number, body = ""): BulkResult => ({
  ...{ deleted: 0, notFound: 0, errors: [], body },
  status: lineOf(status),
});

const lineOf = (status: number): string => `${status} ${status === 200 ? "OK" : (reasonPhrase[status] ?? "Error")}`;

async function names(request: FastifyRequest): Promise<string[]> {
  const body = await text(request.body as NodeJS.ReadableStream);
  const all = body
    .split("\n")
    .map((line) => decodeURIComponent(line.trim()))
    .filter((line) => line !== "");
  if (all.length > bulkLimits.deletes) {
    throw new ApiError(413, `Maximum Bulk Deletes: ${bulkLimits.deletes} per request`, "text");
  }
  return all;
}

/** Deletes objects first, then containers. @param names `container/object` or `container`, with or without a slash before */
export async function bulkDelete(
  app: Pick<FastifyInstance, "inject">,
  { params, headers }: FastifyRequest,
  wanted: string[],
): Promise<BulkResult> {
  const { account } = params as { account: string };
  const isObject = (name: string) => /[^/]\/+[^/]/.test(name);
  const result = failed(200);
  const token = headers["x-auth-token"];
  for (const name of [...wanted.filter(isObject), ...wanted.filter((one) => !isObject(one))]) {
    const path = name.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/");
    const { statusCode } = await app.inject({
      method: "DELETE",
      url: `/object-store/v1/${encodeURIComponent(account)}/${path}`,
      headers: token === undefined ? {} : { "x-auth-token": token },
    });
    if (statusCode < 300) result.deleted += 1;
    else if (statusCode === 404) result.notFound += 1;
    else result.errors.push([name, lineOf(statusCode)]);
    if (result.errors.length >= bulkLimits.failures) {
      return { ...result, ...failed(400, "Max delete failures exceeded"), errors: result.errors };
    }
  }
  if (result.errors.length > 0) return { ...result, status: "400 Bad Request" };
  if (result.deleted + result.notFound === 0) return failed(400, "Invalid bulk delete.");
  return result;
}

type Format = "text/plain" | "application/json" | "application/xml" | "text/xml";

/** The form that the client takes. */
export function bulkFormat(accept = ""): Format {
  const formats = ["text/plain", "application/json", "application/xml", "text/xml"] as const;
  return formats.find((one) => accept.includes(one)) ?? "text/plain";
}

/** The answer is always 200: whether it all went well is in the body. */
export function sendBulk(reply: FastifyReply, format: Format, result: BulkResult): FastifyReply {
  const values: [string, string | number][] = [
    ["Number Deleted", result.deleted],
    ["Number Not Found", result.notFound],
    ["Response Body", result.body],
    ["Response Status", result.status],
  ];
  const errors = result.errors.map(([name, status]) => [encodeURI(name), status] as const);
  reply.code(200).type(format);
  if (format === "application/json") {
    return reply.send(JSON.stringify({ ...Object.fromEntries(values), Errors: errors }));
  }
  if (format === "text/plain") {
    const lines = values.map(([name, value]) => `${name}: ${value}\n`).join("");
    return reply.send(`${lines}Errors:\n${errors.map(([name, status]) => `${name}, ${status}\n`).join("")}`);
  }
  const fields = values.map(([name, value]) => {
    const tag = name.toLowerCase().replaceAll(" ", "_");
    return `<${tag}>${value}</${tag}>\n`;
  });
  const list = errors.map(([name, status]) => `<object><name>${name}</name><status>${status}</status></object>\n`);
  return reply.send(
    `<?xml version="1.0" encoding="UTF-8"?>\n<delete>\n${fields.join("")}<errors>\n${list.join("")}</errors>\n</delete>\n`,
  );
}
