//! The scripts of the leases. Times are Redis's own (`TIME`), so that no pinger's clock counts.

use std::sync::LazyLock;

use crate::redis::Script;

/// KEYS: members. ARGV: owner, ttl ms. Answers the live owners, sorted.
pub(super) static JOIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
redis.call('PEXPIRE', KEYS[1], 86400000)
local live = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(live)
return live",
    )
});

/// KEYS: lease, epoch, progress per shard. ARGV: owner, ttl ms. Answers (index, epoch, progress) of
/// each shard taken. The epoch is at least the clock, so that it grows even over an emptied Redis.
/// A lease that is ours already is taken anew: the answer to an earlier call was lost.
pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken = {}
for i = 1, #KEYS, 3 do
  local free = redis.call('SET', KEYS[i], ARGV[1], 'NX', 'PX', ARGV[2])
  if free or redis.call('GET', KEYS[i]) == ARGV[1] then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
    local epoch = redis.call('INCR', KEYS[i + 1])
    if epoch < now then
      epoch = now
      redis.call('SET', KEYS[i + 1], string.format('%.0f', epoch))
    end
    taken[#taken + 1] = { (i - 1) / 3, epoch, redis.call('GET', KEYS[i + 2]) }
  end
end
return taken",
    )
});

/// KEYS: lease, epoch per shard. ARGV: owner, ttl ms, then the epochs. Answers 1 or 0 per shard.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local kept = {}
for i = 1, #KEYS, 2 do
  local n = (i + 1) / 2
  local owner = redis.call('GET', KEYS[i])
  local epoch = tonumber(redis.call('GET', KEYS[i + 1]) or '0')
  local ours = tonumber(ARGV[2 + n])
  if owner == ARGV[1] and epoch <= ours then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
    kept[n] = 1
  elseif not owner and epoch <= ours then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    kept[n] = 1
  else
    kept[n] = 0
  end
  if kept[n] == 1 and epoch < ours then
    redis.call('SET', KEYS[i + 1], ARGV[2 + n])
  end
end
return kept",
    )
});

/// KEYS: leases. ARGV: owner.
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then
    redis.call('DEL', KEYS[i])
  end
end
return redis.status_reply('OK')",
    )
});

/// KEYS: epoch, progress per shard. ARGV: epoch, instant per shard. Answers the fenced indexes.
pub(super) static ADVANCE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local fenced = {}
for i = 1, #KEYS, 2 do
  local epoch = tonumber(redis.call('GET', KEYS[i]) or '0')
  if epoch > tonumber(ARGV[i]) then
    fenced[#fenced + 1] = (i - 1) / 2
  else
    local stands = tonumber(redis.call('GET', KEYS[i + 1]) or '0')
    if tonumber(ARGV[i + 1]) > stands then
      redis.call('SET', KEYS[i + 1], ARGV[i + 1], 'PX', 2592000000)
    end
  end
end
return fenced",
    )
});
