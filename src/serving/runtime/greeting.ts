import { connect } from "node:net";
import { z } from "zod";
import { FrameKind, FrameReader, jsonIn } from "./frames.ts";
import { helloSchema } from "./hello.ts";

/** What is read of a greeting, whatever the version of the frames. */
const greetingSchema = z.object({
  protocol: helloSchema.shape.protocol,
  models: z.array(z.object({ model: z.object({ name: z.string(), version: z.string(), digest: z.string() }) })),
});

/** What a runtime says of itself. */
export type Greeting = z.infer<typeof greetingSchema>;

/** What a runtime greets with at this socket within so many milliseconds; undefined where none does. */
export function greetingAt(socketPath: string, timeoutMs: number): Promise<Greeting | undefined> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const reader = new FrameReader();
    const end = (answer: Greeting | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), timeoutMs);
    socket.on("error", () => end(undefined));
    socket.on("close", () => end(undefined));
    socket.on("data", (chunk) => {
      try {
        const [first] = reader.push(chunk);
        if (first) end(first.kind === FrameKind.hello ? greetingSchema.parse(jsonIn(first.body)) : undefined);
      } catch {
        end(undefined);
      }
    });
  });
}

/** Whether a runtime greets at this socket within so many milliseconds, and takes questions. */
export async function greets(socketPath: string, timeoutMs: number): Promise<boolean> {
  return (await greetingAt(socketPath, timeoutMs)) !== undefined;
}
