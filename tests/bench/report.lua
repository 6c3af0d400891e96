-- wrk: a browser's GET, with the tokens of a file in turn; prints one line of JSON.
-- The environment says: BENCH_HEADERS, a file of "Name: value" lines; BENCH_TOKENS,
-- a file with a token a line, and BENCH_COUNT, how many of them to use (0: none).

local requests = {}
local position = 0

function init(args)
  local headers = { Host = "localhost" }
  for line in io.lines(os.getenv("BENCH_HEADERS")) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  local count = tonumber(os.getenv("BENCH_COUNT"))
  if count == 0 then
    requests[1] = wrk.format("GET", nil, headers)
    return
  end
  for token in io.lines(os.getenv("BENCH_TOKENS")) do
    headers["Authorization"] = "Bearer " .. token
    requests[#requests + 1] = wrk.format("GET", nil, headers)
    if #requests == count then break end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "octets": %d, "p50": %f, "p99": %f,' ..
    ' "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
