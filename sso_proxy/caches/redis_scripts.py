"""
What a Redis server does in one step.

Every write keeps the books of its bucket: what each record counts, when it expires and
whether it may be evicted.  So a kind of record is bounded by its own budget, and never
takes the room of another.  Redis itself removes values that have expired; the books
are cleared of them later, a few with each write.

The scripts name the keys that they use, except those of values that they evict, which
are in the same bucket.
"""

import hashlib
from typing import Final

import attrs

FULL: Final = -1
"""The answer of a script that finds no room."""

_PRELUDE: Final = """
local record, evictable, kept, counter = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = tonumber(redis.call('GET', counter) or '0')
local used = before
if before ~= 0 and redis.call('EXISTS', evictable, kept) == 0 then used = 0 end

local function cost_of(entry) return tonumber(string.match(entry, '%d+$')) end
local function entry_for(id, length) return id .. ':' .. (256 + 2 * length) end

local function strike(ledger, entry)
  if redis.call('ZREM', ledger, entry) == 1 then used = used - cost_of(entry) end
end

local function enter(ledger, entry, expires)
  if redis.call('ZADD', ledger, expires, entry) == 1 then
    used = used + cost_of(entry)
  end
end

local function ledger_of(entry)
  for _, ledger in ipairs({evictable, kept}) do
    local expires = redis.call('ZSCORE', ledger, entry)
    if expires then return ledger, expires end
  end
end

local function clear(most)
  for _, ledger in ipairs({evictable, kept}) do
    local due = redis.call('ZRANGEBYSCORE', ledger, '-inf', now, 'LIMIT', 0, most)
    for _, entry in ipairs(due) do strike(ledger, entry) end
  end
end

local function make_room(stem, octets, budget)
  clear(4)
  if used + octets > budget then clear(1024) end
  for _ = 1, 1024 do
    if used + octets <= budget then return true end
    local first = redis.call('ZRANGE', evictable, 0, 0, 'WITHSCORES')
    if not first[1] then return false end
    strike(evictable, first[1])
    if tonumber(first[2]) > now then
      redis.call('DEL', stem .. string.match(first[1], '^[^:]+'))
    end
  end
  return used + octets <= budget
end

-- The books live a minute longer than all that is in them.
local function close(ttl)
  if used < 0 then used = 0 end
  if used ~= before then redis.call('INCRBY', counter, used - before) end
  for _, key in ipairs({evictable, kept, counter}) do
    if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl + 60000) end
  end
end
"""

_STORE: Final = """
local stem, id, value = ARGV[1], ARGV[2], ARGV[3]
local ttl, budget, mode = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
if mode == 'add' and redis.call('EXISTS', record) == 1 then return 0 end
if mode == 'new' and redis.call('EXISTS', record) == 1 then return 0 end
if mode == 'swap' and redis.call('GET', record) ~= ARGV[7] then return 0 end
local entry = entry_for(id, #value)
if cost_of(entry) > budget then return -1 end
local old, old_ledger, old_expires
if redis.call('EXISTS', record) == 1 then
  old = entry_for(id, redis.call('STRLEN', record))
  old_ledger, old_expires = ledger_of(old)
  if old_ledger then strike(old_ledger, old) end
end
if not make_room(stem, cost_of(entry), budget) then
  if old_ledger then enter(old_ledger, old, old_expires) end
  close(0)
  return -1
end
redis.call('SET', record, value, 'PX', ttl)
enter(mode == 'add' and kept or evictable, entry, now + ttl)
close(ttl)
return 1
"""

_TAKE: Final = """
local found = redis.call('GET', record)
if not found then return false end
local entry = entry_for(ARGV[1], #found)
strike(evictable, entry)
strike(kept, entry)
redis.call('DEL', record)
close(0)
return found
"""

_TOUCH: Final = """
if redis.call('EXISTS', record) == 0 then return 0 end
local ttl = tonumber(ARGV[2])
local entry = entry_for(ARGV[1], redis.call('STRLEN', record))
enter(ledger_of(entry) or evictable, entry, now + ttl)
redis.call('PEXPIRE', record, ttl)
close(ttl)
return 1
"""

_INDEX_ADD: Final = """
local stem, entry, member = ARGV[1], entry_for(ARGV[2], #ARGV[3]), ARGV[3]
local ttl, budget = tonumber(ARGV[4]), tonumber(ARGV[5])
if not redis.call('ZSCORE', kept, entry) then
  if not make_room(stem, cost_of(entry), budget) then
    close(0)
    return -1
  end
end
enter(kept, entry, now + ttl)
redis.call('ZREMRANGEBYSCORE', record, '-inf', now)
redis.call('ZADD', record, now + ttl, member)
if redis.call('PTTL', record) < ttl then redis.call('PEXPIRE', record, ttl) end
close(ttl)
return 1
"""

_INDEX_REMOVE: Final = """
if redis.call('ZREM', record, ARGV[2]) == 1 then
  strike(kept, entry_for(ARGV[1], #ARGV[2]))
  close(0)
end
return 1
"""

_INDEX_LIST: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
"""

_PUBLISH: Final = """
local number = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', ARGV[1], number .. ':' .. ARGV[2])
return number
"""


@attrs.frozen
class Script:
    """
    A script.

    Attributes:
        text: In Lua.
        sha: What the server calls it, once it has seen it.
    """

    text: bytes = attrs.field(repr=False)
    sha: bytes


def _script(*parts: str) -> Script:
    text = "".join(parts).encode("ascii")
    # What the server calls it; nothing rests on its strength.
    sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return Script(text, sha.encode("ascii"))


STORE: Final = _script(_PRELUDE, _STORE)
TAKE: Final = _script(_PRELUDE, _TAKE)
TOUCH: Final = _script(_PRELUDE, _TOUCH)
INDEX_ADD: Final = _script(_PRELUDE, _INDEX_ADD)
INDEX_REMOVE: Final = _script(_PRELUDE, _INDEX_REMOVE)
INDEX_LIST: Final = _script(_INDEX_LIST)
PUBLISH: Final = _script(_PUBLISH)
