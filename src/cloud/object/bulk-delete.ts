import { setImmediate as breathe } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { percentDecoded, pythonQuoted, textOf } from "../http/percent.ts";
import { header } from "../identity/tokens.ts";
import type { Caller } from "./caller.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { bareRefusal, notFound, refuse, statusLine } from "./refusals.ts";
import { deleteContainer, deleteObject } from "./removal.ts";
import { chunksOf } from "./upload.ts";

// Swift's bulk middleware: many objects and containers deleted by one request, each as if by a request of its own.

/** What came of a bulk delete. */
interface BulkResult {
  deleted: number;
  notFound: number;
  /** Names in percent encoding, with what each got. */
  errors: [string, string][];
  status: string;
  body: string;
}

/** One that is to be deleted: `container/object` or `container`, with or without a slash before. */
export interface BulkTarget {
  name: string;
  /** The name is one that is no UTF-8, in percent encoding. */
  isQuoted?: true;
  version?: string;
  /** Why it cannot be. */
  error?: { status: number; message: string };
}

/** Swift's defaults; a path has so many bytes. */
export const bulkLimits = { deletes: 10_000, failures: 1000, path: 1024 + 256 + 2 };

/**
 * `POST /v1/AUTH_…?bulk-delete`: a name a line. Whom nothing can be granted is refused before the body is read.
 * @throws ApiError 401
 */
export async function bulkDeleteRequest(
  context: ObjectContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { account } = request.params as { account: string };
  const as = (name: string) => {
    const path = name.replace(/^\/+/, "");
    return context.caller(request, { method: "DELETE", url: `/object-store/v1/${account}/${pythonQuoted(path)}` });
  };
  if (as("").kind !== "token") throw refuse(as(""));
  const type = header(request, "content-type");
  const hasType = type !== undefined && !type.startsWith("text/plain");
  return sendBulk(reply, async (result) => {
    if (hasType) throw bareRefusal(406, "");
    const all = await targetsOf(request);
    const isObject = ({ name }: BulkTarget) => name.replace(/^\/+|\/+$/g, "").includes("/");
    const ordered = [...all.filter(isObject), ...all.filter((one) => !isObject(one))];
    await deleteAll(context, { account, callerFor: as }, ordered, result);
  });
}

/** @throws ApiError 400, 411, 413 */
async function targetsOf(request: FastifyRequest): Promise<BulkTarget[]> {
  if (header(request, "content-length") === undefined && header(request, "transfer-encoding") !== "chunked") {
    throw bareRefusal(411, "");
  }
  const targets: BulkTarget[] = [];
  const take = (line: Buffer) => {
    const bytes = percentDecoded(Buffer.from(line.toString("latin1").trim(), "latin1"));
    const name = textOf(bytes);
    targets.push(
      name === undefined
        ? { name: pythonQuoted(bytes), isQuoted: true, error: { status: 412, message: statusLine(412) } }
        : { name },
    );
    if (targets.length > bulkLimits.deletes) {
      throw bareRefusal(413, `Maximum Bulk Deletes: ${bulkLimits.deletes} per request`);
    }
  };
  let rest = Buffer.alloc(0);
  for await (const chunk of chunksOf(request)) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (end > bulkLimits.path * 2) break;
      take(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
    }
    if (rest.length > bulkLimits.path * 2) throw bareRefusal(400, "Invalid File Name");
  }
  if (rest.length > 0) take(rest);
  return targets.filter(({ name }) => name !== "");
}

/** What is asked for many times, by whom. */
interface Deletion {
  account: string;
  /** Who asks for this one: an application credential may be for some only. */
  callerFor: (name: string) => Caller;
}

/** Deletes one after another, each looked up when it is reached. @throws ApiError 400 for too many failures */
export async function deleteAll(
  context: ObjectContext,
  { account, callerFor }: Deletion,
  targets: Iterable<BulkTarget>,
  result: BulkResult,
): Promise<void> {
  const remove = async ({ name, version, error }: BulkTarget): Promise<{ status: number; message: string }> => {
    if (error !== undefined) return error;
    const [container = "", ...rest] = name.replace(/^\/+/, "").split("/");
    const place = { projectId: projectOfAccount(account), container, name: rest.join("/") };
    try {
      if (place.name === "") deleteContainer(context, callerFor(name), place);
      else if (!(await deleteObject(context, callerFor(name), place, version)).existed) throw notFound();
      return { status: 204, message: "" };
    } catch (refused) {
      if (refused instanceof ApiError) return { status: refused.status, message: statusLine(refused.status) };
      throw refused;
    }
  };
  for (const target of targets) {
    await breathe(); // others are answered between two of them
    const { status, message } = await remove(target);
    if (status < 300) result.deleted += 1;
    else if (status === 404) result.notFound += 1;
    else result.errors.push([target.isQuoted ? target.name : pythonQuoted(target.name), message]);
    if (result.errors.length >= bulkLimits.failures) throw bareRefusal(400, "Max delete failures exceeded");
  }
  if (result.errors.length > 0) result.status = statusLine(400);
  else if (result.deleted + result.notFound === 0) throw bareRefusal(400, "Invalid bulk delete.");
}

type Format = "text/plain" | "application/json" | "application/xml" | "text/xml";

/** The form that the client takes. */
function bulkFormat(accept = ""): Format {
  const formats = ["text/plain", "application/json", "application/xml", "text/xml"] as const;
  return formats.find((one) => accept.includes(one)) ?? "text/plain";
}

/** The answer is always 200: whether it all went well is in the body. */
export async function sendBulk(
  reply: FastifyReply,
  work: (result: BulkResult) => Promise<void>,
): Promise<FastifyReply> {
  const result: BulkResult = { deleted: 0, notFound: 0, errors: [], status: statusLine(200), body: "" };
  try {
    await work(result);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    result.status = statusLine(error.status);
    result.body = error.message;
  }
  return written(reply, bulkFormat(header(reply.request, "accept")), result);
}

function written(reply: FastifyReply, format: Format, { errors, ...result }: BulkResult): FastifyReply {
  const values: [string, string | number][] = [
    ["Number Deleted", result.deleted],
    ["Number Not Found", result.notFound],
    ["Response Body", result.body],
    ["Response Status", result.status],
  ];
  // as bytes, for Fastify would tell a text's charset
  const send = (text: string) => reply.code(200).header("content-type", format).send(Buffer.from(text));
  if (format === "application/json") {
    return send(JSON.stringify({ ...Object.fromEntries(values), Errors: errors }));
  }
  if (format === "text/plain") {
    const lines = values.map(([name, value]) => `${name}: ${value}\n`).join("");
    return send(`${lines}Errors:\n${errors.map(([name, status]) => `${name}, ${status}\n`).join("")}`);
  }
  const fields = values.map(([name, value]) => {
    const tag = name.toLowerCase().replaceAll(" ", "_");
    return `<${tag}>${value}</${tag}>\n`;
  });
  const list = errors.map(([name, status]) => `<object><name>${name}</name><status>${status}</status></object>\n`);
  return send(
    `<?xml version="1.0" encoding="UTF-8"?>\n<delete>\n${fields.join("")}<errors>\n${list.join("")}</errors>\n</delete>\n`,
  );
}
