-- One request over and over, from the environment: WRK_METHOD, WRK_BODY (a file), WRK_HEADERS ("name: value" lines).
-- Ends with one JSON line, which load.ts reads.
wrk.method = os.getenv("WRK_METHOD") or "POST"
local file = os.getenv("WRK_BODY")
if file then
  local handle = assert(io.open(file, "rb"))
  wrk.body = handle:read("*a")
  handle:close()
end
for name, value in (os.getenv("WRK_HEADERS") or ""):gmatch("([^:\n]+): ([^\n]*)") do
  wrk.headers[name] = value
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p90":%d,"p99":%d,"p999":%d,"most":%d,' ..
      '"failures":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
