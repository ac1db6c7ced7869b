import { describe, expect, test } from "vitest";
import { differencesOf } from "./compare.ts";
import { covers, rowsOf, suggestion } from "./differences-page.ts";
import { normalised } from "./normalise.ts";
import type { Call, Exchange } from "./recorder.ts";

const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;

function callOf(...exchanges: Partial<Exchange>[]): Call {
  const whole = exchanges.map((exchange) => ({ request: "GET /", status: 200, headers: {}, body: "", ...exchange }));
  return { name: "call", outcome: "ok", exchanges: whole };
}

const bodyOf = (body: unknown) => normalised([callOf({ body })])[0]?.exchanges[0]?.body;

describe("normalised", () => {
  test("ids become what they stand for, wherever they are", () => {
    const body = { ports: [{ id: id(1), network_id: id(2), device_id: id(3) }], network: { id: id(2), name: "net" } };
    const [call] = normalised([callOf({ request: `GET /network/v2.0/networks/${id(2)}`, body })]);
    expect(call?.exchanges[0]).toMatchObject({
      request: "GET /network/v2.0/networks/<network net>",
      body: { ports: [{ id: "<port>", network_id: "<network net>", device_id: "<id>" }] },
    });
  });

  test("lists of ids have no order, and networks that others share are none", () => {
    const networks = [
      { id: id(1), name: "net", shared: false },
      { id: id(2), name: "theirs", shared: true, "router:external": false },
      { id: id(3), name: "public", shared: true, "router:external": true },
    ];
    const subnets = [
      { id: id(4), name: "sub", network_id: id(1) },
      { id: id(5), name: "", network_id: id(2) },
    ];
    const calls = [callOf({ body: { networks } }, { body: { subnets, used: `${id(3)},${id(1)}` } })];
    const [call] = normalised(calls);
    expect(call?.exchanges.map(({ body }) => body)).toMatchObject([
      { networks: [{ name: "net" }, { name: "public" }] },
      { subnets: [{ name: "sub" }], used: "<network net>,<network public>" },
    ]);
  });

  test("a resource without a wrapper is known by its path", () => {
    const [call] = normalised([
      callOf({ request: `GET /image/v2/images/${id(1)}`, body: { id: id(1), name: "debian" } }),
    ]);
    expect(call?.exchanges[0]?.request).toBe("GET /image/v2/images/<image debian>");
  });

  test("moments keep their form, and only those of the run", () => {
    expect(
      bodyOf({ created: "2026-11-26T08:00:01Z", at: "2026-11-26T08:00:01.123456", old: "2013-07-23T11:33:21Z" }),
    ).toEqual({
      created: "0000-00-00T00:00:00Z",
      at: "0000-00-00T00:00:00.000000",
      old: "2013-07-23T11:33:21Z",
    });
  });

  test("secrets, machines and what an operator offers are left out", () => {
    const body = {
      ...{ secret: "s", "binding:host_id": "lab", flavors: [{ name: "m1.small" }, { name: "conformance" }] },
      hypervisor: { hypervisor_hostname: "lab", vcpus: 2 },
    };
    expect(bodyOf(body)).toEqual({
      ...{ secret: "<secret>", "binding:host_id": "<host>", flavors: [{ name: "conformance" }] },
      hypervisor: { hypervisor_hostname: "<host>", vcpus: "<number>" },
    });
  });
});

describe("differencesOf", () => {
  const differences = (here: Partial<Exchange>[], there: Partial<Exchange>[]) =>
    differencesOf([callOf(...here)], [callOf(...there)]).map(({ request, field, ...values }) => [
      `${request} ${field}`,
      values.here,
      values.there,
    ]);

  test("tells each field that is another one, or on one side only", () => {
    const here = {
      request: "GET /compute/v2.1/servers/<server web>?x=1",
      body: { server: { a: 1, b: [1, 2], c: null } },
    };
    const there = { ...here, body: { server: { a: "1", b: [1, 2], d: null } }, headers: { vary: "x" } };
    expect(differences([here], [there])).toEqual([
      ["GET /compute/v2.1/servers/{server} header vary", "–", '"x"'],
      ["GET /compute/v2.1/servers/{server} server.a", "1", '"1"'],
      ["GET /compute/v2.1/servers/{server} server.c", "null", "–"],
      ["GET /compute/v2.1/servers/{server} server.d", "–", "null"],
    ]);
  });

  test("elements of lists are compared by their names, and their order where it means something", () => {
    const list = (...names: string[]) => ({ body: { servers: names.map((name) => ({ name })) } });
    expect(differences([list("a", "b", "c")], [list("b", "a", "d")])).toEqual([
      ["GET / servers[]", "c", "–"],
      ["GET / servers[]", "–", "d"],
      ["GET / servers[] order", "a,b", "b,a"],
    ]);
    const networks = (...names: string[]) => ({ request: "GET /network/v2.0/networks", ...list(...names) });
    expect(differences([networks("a", "b")], [networks("b", "a")])).toEqual([]);
  });

  test("of a refusal the status and the words count, of a question that is repeated the last answer", () => {
    const refusal = (status: number, message: string) => ({ status, body: { badRequest: { code: status, message } } });
    expect(differences([refusal(400, "no")], [refusal(409, "not now")])).toEqual([
      ["GET / status", "400", "409"],
      ["GET / message", '"no"', '"not now"'],
    ]);
    expect(differences([{ body: "BUILD" }, { body: "ACTIVE" }], [{ body: "ACTIVE" }])).toEqual([]);
    const twice = [{ request: "POST /" }, { request: "POST /" }];
    expect(differences(twice, [{ request: "POST /" }])).toEqual([["POST / asked", "asked", "–"]]);
  });
});

describe("rows of the page", () => {
  const difference = {
    call: "openstack server show web",
    request: "GET /a/{b}",
    field: "x|y[]",
    here: "1",
    there: '"2"',
  };

  test("the row that is suggested covers its difference and no other", () => {
    const table = `| Request | Field | Here | There | Why |\n|---|---|---|---|---|\n${suggestion(difference)}`;
    const [row, ...more] = rowsOf(table);
    if (row === undefined) throw new Error("no row");
    expect(more).toEqual([]);
    expect(covers(row, difference)).toBe(true);
    for (const key of ["request", "field", "here", "there"] as const) {
      expect(covers(row, { ...difference, [key]: "another" })).toBe(false);
    }
  });

  test("several values are any of them, a column that is not there is any, other tables are none", () => {
    const [row, ...more] = rowsOf(
      "| A |\n|---|\n| `x` |\n\n| Call | Here | Why |\n| --- | --- | --- |\n| `openstack server show web`, `b` | `1` | the `host` |",
    );
    if (row === undefined) throw new Error("no row");
    expect(more).toEqual([]);
    expect(row.line).toBe(7);
    expect(covers(row, difference)).toBe(true);
    expect(covers(row, { ...difference, call: "b" })).toBe(true);
    expect(covers(row, { ...difference, call: "openstack server show" })).toBe(false);
    expect(covers(row, { ...difference, call: "openstack server show web2" })).toBe(false);
  });

  test("a cell that says nothing is a fault of the page", () => {
    expect(() => rowsOf("| Request | Here |\n|---|---|\n| `x` | anything |")).toThrow("line 3 says nothing of: Here");
  });

  test("rows below the heading for it may be gone", () => {
    const rows = rowsOf("## At times\n\n| Call |\n|---|\n| `x` |\n\n## Calls\n\n| Call |\n|---|\n| `x` |");
    expect(rows.map(({ isChance }) => isChance)).toEqual([true, false]);
  });
});
