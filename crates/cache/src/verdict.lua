-- The first argument is how long a verdict lasts (s). Then per key four: the verdict, its partition, the epoch under which that was
-- taken, the verdict's slot (0 for none).
-- Answers per key 1 where the verdict was stored, 0 where whoever took the partition later wrote one that is no older.
local answers = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4 + 1
  local partition, epoch, slot = ARGV[at + 2], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local known = redis.pcall('GET', key)
  if type(known) ~= 'string' then known = '' end
  local its_partition, its_epoch = string.match(known, '"partition":(%d+),"epoch":(%d+)}$')
  local its_slot = tonumber(string.match(known, '"slot":(%d+)') or '0')
  -- The slot, too: epochs begin anew where PostgreSQL was put back to an earlier day, and what is new must not wait then.
  if its_partition == partition and tonumber(its_epoch) > epoch and its_slot >= slot then
    answers[i] = 0
  else
    redis.call('SET', key, ARGV[at + 1], 'EX', ARGV[1])
    answers[i] = 1
  end
end
return answers
