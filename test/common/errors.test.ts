import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { type ErrorCode, ExitCode, errorCatalogue } from "../../src/common/error-catalogue.ts";
import { isErrno, messageOf, SlipwayError } from "../../src/common/errors.ts";

test("every code ends the process with an exit code that is documented and is no success", () => {
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const { exitCode } = new SlipwayError(code, "text");
    expect(Object.values(ExitCode), code).toContain(exitCode);
    expect(exitCode, code).not.toBe(ExitCode.ok);
  }
});

test("an error carries what a user needs: hint, request id, lines, and what failed underneath", () => {
  const cause = new Error("connect ECONNREFUSED");
  const error = new SlipwayError("E_CLOUD_UNREACHABLE", "the cloud does not answer", {
    hint: "start it",
    requestId: "req-1",
    details: ["line"],
    cause,
  });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "SlipwayError",
    code: "E_CLOUD_UNREACHABLE",
    message: "the cloud does not answer",
    hint: "start it",
    requestId: "req-1",
    details: ["line"],
    cause,
    exitCode: 3,
  });
});

test("without details there is no cause, not an undefined one", () => {
  const error = new SlipwayError("E_TIMEOUT", "too late");
  expect(Object.hasOwn(error, "cause")).toBe(false);
  expect(error.details).toEqual([]);
});

test("anything thrown has a text", () => {
  expect(messageOf(new TypeError("of an error"))).toBe("of an error");
  expect(messageOf("a string")).toBe("a string");
  expect(messageOf(undefined)).toBe("undefined");
});

test("a system error is recognized by its code alone", async () => {
  const error = await readFile("/nonexistent/slipway").catch((thrown: unknown) => thrown);
  expect(isErrno(error, "ENOENT")).toBe(true);
  expect(isErrno(error, "EACCES")).toBe(false);
  expect(isErrno({ code: "ENOENT" }, "ENOENT")).toBe(false);
});
