import resource from "@pulumi/pulumi/proto/resource_pb.js";
import source from "@pulumi/pulumi/proto/source_pb.js";
import { expect, test } from "vitest";
import { positionsFrom } from "../../../src/engine/embedded/monitor/source-positions.ts";

const at = (uri: string, line: number, column = 0) =>
  new source.SourcePosition().setUri(uri).setLine(line).setColumn(column);

test("source positions are told below the project's folder, as the official engine stores them", () => {
  const frames = [
    at("file:///home/me/my%20site/lib/net.ts", 3, 7),
    undefined,
    at("node:internal/main", 1),
    at("file:///usr/x.js", 9),
  ];
  const request = new resource.RegisterResourceRequest()
    .setSourceposition(at("file:///home/me/my%20site/index.ts", 33, 13))
    .setStacktrace(
      new source.StackTrace().setFramesList(frames.map((position) => new source.StackFrame().setPc(position))),
    );
  expect(positionsFrom(request, "/home/me/my site")).toEqual({
    sourcePosition: "project:///index.ts#33,13",
    stackTrace: [
      { sourcePosition: "project:///lib/net.ts#3,7" },
      {},
      {},
      { sourcePosition: "project:///../../../usr/x.js#9" },
    ],
  });
});

test("a program that tells of no positions leaves none in the state", () => {
  expect(positionsFrom(new resource.RegisterResourceRequest(), "/home/me")).toEqual({});
});
