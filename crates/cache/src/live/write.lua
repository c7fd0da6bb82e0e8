-- Per item three keys (block, live, hours) and eight arguments:
--   expected block, new block ('' for none), when the block expires (Unix s),
--   field of the hour, its counts ('' for none), field to drop, region, latest result ('' for none).
-- One more key at the end: what grows when something was lost here that is to be restored.
-- Answers per item a number: 1 block or counts stored, 2 latest stored, 4 another block is there (its bytes follow),
-- 8 a key held another type, which none of ours ever wrote, and was removed.
local removed

-- One such key must not stand in the way of all others: it goes, and what it had replaced is restored.
local function call(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if string.find(answer.err, 'WRONGTYPE', 1, true) then
    redis.call('DEL', key)
    redis.call('INCR', KEYS[#KEYS])
    removed = true
  end
  return redis.call(command, key, ...)
end

-- Grows with every check that is added and with every outcome that is outranked: in the order of the outcomes' codes.
local weights = { 4, 5, 6, 2, 1, 3 }
local function weight(counts)
  local sum, n = 0, 0
  for number in string.gmatch(counts, '%d+') do
    n = n + 1
    sum = sum + (weights[n] or 0) * number
  end
  return sum
end

local ranks = { missed = 0, unknown = 1, maintenance = 2, up = 3, degraded = 4, down = 5 }

-- Whether result `a` stands before `b`: the later slot, then the outcome that outranks,
-- then the later configuration, then any fixed order.
local function newer(a, b)
  local slot_a, slot_b = string.sub(a, 9, 21), string.sub(b, 9, 21)
  if slot_a ~= slot_b then return slot_a > slot_b end
  local rank_a = ranks[string.match(a, '"outcome":"(%a+)"')] or -1
  local rank_b = ranks[string.match(b, '"outcome":"(%a+)"')] or -1
  if rank_a ~= rank_b then return rank_a > rank_b end
  -- What was restored from history has revision 0 and no cause.
  local revision_a = tonumber(string.match(a, '"revision":(%d+)}$')) or 0
  local revision_b = tonumber(string.match(b, '"revision":(%d+)}$')) or 0
  if revision_a ~= revision_b then return revision_a > revision_b end
  return a > b
end

local answers = {}
local items = (#KEYS - 1) / 3
for i = 0, items - 1 do
  local block_key, live_key, hours_key = KEYS[i * 3 + 1], KEYS[i * 3 + 2], KEYS[i * 3 + 3]
  local at = i * 8
  local expected, block = ARGV[at + 1], ARGV[at + 2]
  local answer, found = 0, nil
  removed = false
  local current = block ~= '' and call('GET', block_key)
  -- Gone (expired, emptied) is no conflict: what is written holds what was expected.
  if current and current ~= expected and current ~= block then
    answer, found = 4, current
  else
    if block ~= '' and current ~= block then
      redis.call('SET', block_key, block, 'EXAT', ARGV[at + 3])
    end
    local field, counts = ARGV[at + 4], ARGV[at + 5]
    -- A block that grew brings counts that grew. Where none is there, what was read before another wrote more must not undo that.
    if counts ~= '' and (current or weight(counts) >= weight(call('HGET', hours_key, field) or '')) then
      if call('HSET', hours_key, field, counts) == 1 then
        redis.call('HDEL', hours_key, ARGV[at + 6])
        -- Outlives its hours by a little; a late older hour does not shorten it.
        local expires = string.format('%d', ARGV[at + 3] + 86400)
        if redis.call('EXPIREAT', hours_key, expires, 'GT') == 0 then redis.call('EXPIREAT', hours_key, expires, 'NX') end
        -- A deleted monitor's latest result goes in the end.
        redis.call('EXPIREAT', live_key, string.format('%d', ARGV[at + 3] + 691200))
      end
    end
    answer = 1
  end
  local latest = ARGV[at + 8]
  if latest ~= '' then
    local known = call('HGET', live_key, ARGV[at + 7])
    if not known or newer(latest, known) then
      redis.call('HSET', live_key, ARGV[at + 7], latest)
      answer = answer + 2
    end
  end
  answers[#answers + 1] = removed and answer + 8 or answer
  if found then answers[#answers + 1] = found end
end
return answers
