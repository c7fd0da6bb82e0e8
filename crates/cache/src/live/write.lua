-- Per item three keys (block, live, hours) and eight arguments:
--   expected block, new block ('' for none), when the block expires (Unix s),
--   field of the hour, its counts, field to drop, region, latest result ('' for none).
-- Answers per item a number: 1 block stored, 2 latest stored, 4 another block is there (its bytes follow).
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
local items = #KEYS / 3
for i = 0, items - 1 do
  local block_key, live_key, hours_key = KEYS[i * 3 + 1], KEYS[i * 3 + 2], KEYS[i * 3 + 3]
  local at = i * 8
  local expected, block = ARGV[at + 1], ARGV[at + 2]
  local answer, found = 0, nil
  local current = block ~= '' and redis.call('GET', block_key)
  -- Gone (expired, emptied) is no conflict: what is written holds what was expected.
  if current and current ~= expected and current ~= block then
    answer, found = 4, current
  elseif block ~= '' then
    if current ~= block then
      redis.call('SET', block_key, block, 'EXAT', ARGV[at + 3])
    end
    if redis.call('HSET', hours_key, ARGV[at + 4], ARGV[at + 5]) == 1 then
      redis.call('HDEL', hours_key, ARGV[at + 6])
      -- Outlives its hours by a little; a late older hour does not shorten it.
      local expires = string.format('%d', ARGV[at + 3] + 86400)
      if redis.call('EXPIREAT', hours_key, expires, 'GT') == 0 then redis.call('EXPIREAT', hours_key, expires, 'NX') end
      -- A deleted monitor's latest result goes in the end.
      redis.call('EXPIREAT', live_key, string.format('%d', ARGV[at + 3] + 691200))
    end
    answer = 1
  end
  local latest = ARGV[at + 8]
  if latest ~= '' then
    local known = redis.call('HGET', live_key, ARGV[at + 7])
    if not known or newer(latest, known) then
      redis.call('HSET', live_key, ARGV[at + 7], latest)
      answer = answer + 2
    end
  end
  answers[#answers + 1] = answer
  if found then answers[#answers + 1] = found end
end
return answers
