import { describe, expect, it } from "vitest";
import { readLoad } from "../../bench/serving/load.ts";
import { readH2Log } from "../../bench/serving/load-h2.ts";
import { failed } from "../../bench/serving/load-report.ts";

const report = `Running 3s test @ http://127.0.0.1:9/v1/predict
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.65ms    0.62ms  20.23ms   93.21%
  157920 requests in 3.00s, 36.12MB read
Requests/sec:  52640.11
{"requests":157920,"microseconds":3000017,"p50":1157,"p90":1500,"p99":2218,"p999":9870,"most":20230,"failures":{"connect":0,"read":3,"write":0,"status":2,"timeout":1}}
`;

describe("the load generator's report", () => {
  it("is read in seconds and milliseconds", () => {
    const load = readLoad(report);
    expect(load.requests / load.seconds).toBeCloseTo(52_639.7, 1);
    expect(load).toMatchObject({ p50: 1.157, p90: 1.5, p99: 2.218, p999: 9.87, most: 20.23 });
  });

  it("counts everything that is no success as failed", () => {
    expect(failed(readLoad(report))).toBe(6);
  });

  it("is refused where it is cut short", () => {
    expect(() => readLoad(report.slice(0, report.indexOf("{")))).toThrow(/wrk said nothing/);
    expect(() => readLoad(report.replace('"p99":2218,', ""))).toThrow(/p99/);
  });
});

describe("h2load's log", () => {
  it("is read in milliseconds, in the order of time taken", () => {
    const log = "1700000000000001\t200\t3000\n1700000000000002\t200\t1000\n1700000000000003\t200\t2000\n";
    expect(readH2Log(log, 2)).toMatchObject({ requests: 3, seconds: 2, p50: 2, p99: 3, most: 3 });
  });

  it("counts streams that were not answered, and answers that are no success", () => {
    expect(failed(readH2Log("1\t200\t5\n2\t-1\t5\n3\t503\t5\n", 1))).toBe(2);
  });

  it("is refused where it is empty", () => {
    expect(() => readH2Log("", 1)).toThrow(/no request/);
  });
});
