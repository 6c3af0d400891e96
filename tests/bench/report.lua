-- wrk: a browser's GET, with the tokens of a file in turn; prints one line of JSON.
-- The environment says: BENCH_HEADERS, a file of "Name: value" lines; BENCH_TOKENS,
-- a file with a token a line, and its DPoP proof if it has one, or with the cookies of
-- a session a line; BENCH_FIELD, where these go if not into Authorization; BENCH_COUNT, how many
-- of them to use (0: none); BENCH_ONCE, whether each is good once ("1"), so that
-- all ends when they are used up; BENCH_HOST, what to call the server.

local requests = {}
local position = 0
local once = false

function init(args)
  local headers = { Host = os.getenv("BENCH_HOST") }
  for line in io.lines(os.getenv("BENCH_HEADERS")) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  local count = tonumber(os.getenv("BENCH_COUNT"))
  local field = os.getenv("BENCH_FIELD")
  once = os.getenv("BENCH_ONCE") == "1"
  if count == 0 then
    requests[1] = wrk.format("GET", nil, headers)
    return
  end
  for line in io.lines(os.getenv("BENCH_TOKENS")) do
    local token, proof = line:match("^(%S+) (%S+)$")
    if field ~= "" then
      headers[field] = line
    elseif token then
      headers["Authorization"] = "DPoP " .. token
      headers["DPoP"] = proof
    else
      headers["Authorization"] = "Bearer " .. line
    end
    requests[#requests + 1] = wrk.format("GET", nil, headers)
    if #requests == count then break end
  end
end

function request()
  if once and position == #requests then
    wrk.thread:stop()
    return requests[position]
  end
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
