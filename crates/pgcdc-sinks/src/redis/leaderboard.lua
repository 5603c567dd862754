-- One step of a leaderboard: rows that are too old leave, records are applied, the offset moves.
-- KEYS: 1 sorted set, 2 rows, 3 expiry, 4 counts, 5 offsets
-- ARGV: 1 window in us, 2 offset field or '' for expiry alone, 3 expected offset or -1, 4 next offset,
--       6 what is remembered of the partition at the next offset, or '' to keep what is there,
--       5 the records, all in one array of MessagePack (a thousand arguments cost more than the rest of the script); per
--       record: offset, row, kind ('u' counts, 'd' does not, 't' is a tombstone), time in us, score, member, order, all texts
-- A row with an order came from records whose deletes have one too: a tombstone of it only follows such a
-- delete, and one that is repeated must not take a newer row away.
-- A row is 'order score member', or 'order' alone once deleted; the order is empty or has 20 or 40 digits, and the later
-- of two is the greater text.
local board, rows, expiry, counts, offsets = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local clock = redis.call('TIME')
local horizon = clock[1] * 1000000 + clock[2] - ARGV[1]
local LIMIT = 1000

-- Takes a row's contribution away; returns its order.
local function withdraw(packed)
  local order, score, member = string.match(packed, '^(%d*) (%S+) (.*)$')
  if not order then return packed end
  if redis.call('HINCRBY', counts, member, -1) <= 0 then
    redis.call('HDEL', counts, member)
    redis.call('ZREM', board, member)
  else
    if string.sub(score, 1, 1) == '-' then score = string.sub(score, 2) else score = '-' .. score end
    redis.call('ZINCRBY', board, score, member)
  end
  return order
end

-- '%.0f', because Lua's own text form of a number has 14 digits.
local old = redis.call('ZRANGEBYSCORE', expiry, '-inf', string.format('%.0f', horizon), 'LIMIT', 0, LIMIT)
for _, row in ipairs(old) do
  local packed = redis.call('HGET', rows, row)
  if packed then withdraw(packed) end
  redis.call('HDEL', rows, row)
  redis.call('ZREM', expiry, row)
end
local more = #old == LIMIT and 1 or 0
if ARGV[2] == '' then
  -- How long until the next row is too old, so that nobody has to guess when to come back.
  local first = redis.call('ZRANGE', expiry, 0, 0, 'WITHSCORES')
  local wait = -1
  if more == 1 then wait = 0 elseif first[2] then wait = math.max(first[2] - horizon, 0) end
  return { 'ok', wait }
end

local stored = tonumber(redis.call('HGET', offsets, ARGV[2]) or '-1')
if stored < tonumber(ARGV[3]) then return { 'diverged', stored } end
if stored >= tonumber(ARGV[4]) then return { 'ok', 0 } end

local list = cmsgpack.unpack(ARGV[5])
for at = 1, #list, 7 do
  if tonumber(list[at]) >= stored then
    local row, kind, time, score, member, order = list[at+1], list[at+2], list[at+3], list[at+4], list[at+5], list[at+6]
    local packed = redis.call('HGET', rows, row)
    local known = packed and string.match(packed, '^(%d*)') or ''
    if known == '' or (order == '' and kind ~= 't') or (order ~= '' and order >= known) then
      local deleted = packed and not string.find(packed, ' ', 1, true)
      if packed then withdraw(packed) end
      if kind == 'u' and tonumber(time) > horizon then
        redis.call('HSET', rows, row, order .. ' ' .. score .. ' ' .. member)
        redis.call('ZADD', expiry, time, row)
        redis.call('HINCRBY', counts, member, 1)
        redis.call('ZINCRBY', board, score, member)
      elseif packed and order ~= '' then
        redis.call('HSET', rows, row, order)
      elseif packed and not deleted then
        redis.call('HDEL', rows, row)
        redis.call('ZREM', expiry, row)
      end
    end
  end
end
redis.call('HSET', offsets, ARGV[2], ARGV[4])
if ARGV[6] ~= '' then redis.call('HSET', offsets, ARGV[2] .. ' bookmark', ARGV[6]) end
return { 'ok', 0 }
