import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb.js";
import type { SourcePosition } from "@pulumi/pulumi/proto/source_pb.js";
import type { SourcePositions } from "../steps/goal.ts";

/** Where in the program a resource was registered, as the state has it: `project:///index.ts#33,13`, below the project's folder. */
export function positionsFrom(request: RegisterResourceRequest, projectRoot: string): SourcePositions {
  const own = positionOf(request.getSourceposition(), projectRoot);
  const frames = request.getStacktrace()?.getFramesList() ?? [];
  return {
    ...(own === undefined ? {} : { sourcePosition: own }),
    ...(frames.length === 0
      ? {}
      : {
          stackTrace: frames.map((frame) => {
            const position = positionOf(frame.getPc(), projectRoot);
            return position === undefined ? {} : { sourcePosition: position };
          }),
        }),
  };
}

/** Undefined for what is in no file, such as Node's own code. */
function positionOf(position: SourcePosition | undefined, projectRoot: string): string | undefined {
  if (position === undefined || position.getLine() <= 0 || position.getColumn() < 0) return undefined;
  if (!position.getUri().startsWith("file:///")) return undefined;
  const path = relative(projectRoot, fileURLToPath(position.getUri())).replaceAll("\\", "/");
  const column = position.getColumn() === 0 ? "" : `,${position.getColumn()}`;
  return `project:///${encodeURI(path)}#${position.getLine()}${column}`;
}
