import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";

export function bodyOf(request: FastifyRequest): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}

/** The body in parts. Who wants no more of them lets the rest go by, so that its sender hears the answer. */
export async function* chunksOf(request: FastifyRequest): AsyncGenerator<Buffer> {
  const body = bodyOf(request);
  try {
    yield* body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } finally {
    body.resume();
  }
}

/** The whole body as text; undefined where it has more bytes than the limit. */
export async function limitedText(request: FastifyRequest, limit: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of chunksOf(request)) {
    size += part.length;
    if (size > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
