/**
 * Asks a window that slides for so many, and takes them if they all fit in: all or none, and nobody in between.
 *
 * Each member is one taking, `{total}:{many}:{since}` with the time in microseconds as its score: how many were ever
 * taken up to and with it, how many by it, and its time. So what is used is one difference, however many members there
 * are, and whenever enough has fallen out is found by halving. Beyond KEPT_APART members, what is taken within a window's
 * KEPT_APART-th part since a member began joins it, and it is as late as the latest: never one too many, and no window
 * takes more than twice as many members.
 *
 * Time is Redis's own. If it goes back the window stands still until it has caught up, for a window's length at most.
 *
 * KEYS[1] the window, KEYS[2] where there is one, what was answered to the same request before; ARGV: how many, `1` to
 * take them or `0` to ask only, the most there may be, microseconds of the window, KEPT_APART, and with KEYS[2] what is
 * kept with the answer and for how many milliseconds. Answers with words: `1` or `0`, how many are used then, the time,
 * when as many will fit in (-1: never), when nothing counts any more; behind them, of an answer given again, what was kept.
 */
export const TAKE = `
local key = KEYS[1]
local given = KEYS[2] and redis.call('GET', KEYS[2])
if given then return given end
local many, taking, max = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local window, apart = tonumber(ARGV[4]), tonumber(ARGV[5])
local function whole(number) return string.format('%.0f', number) end
local function read(found)
  if not found[1] then return nil end
  local total, taken, since = string.match(found[1], '^(%d+):(%d+):(%d+)$')
  local one = { member = found[1], since = tonumber(since), at = tonumber(found[2]) }
  one.total, one.taken = tonumber(total), tonumber(taken)
  return one
end
local function ranked(rank) return read(redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')) end
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now, last = clock, ranked(-1)
if last and last.at - clock > window then
  redis.call('DEL', key)
  last = nil
end
if last and last.at > now then now = last.at end
if last and last.at <= now - window then last = nil end
local edge = whole(now - window)
local first = last and read(redis.call('ZRANGEBYSCORE', key, '(' .. edge, '+inf', 'WITHSCORES', 'LIMIT', 0, 1))
local before = first and first.total - first.taken or 0
local used = last and last.total - before or 0
local fits, fitsAt = used + many <= max, now
if fits and taking then
  redis.call('ZREMRANGEBYSCORE', key, '-inf', edge)
  local taken, since = many, now
  if last and (now - last.since) * apart < window and redis.call('ZCARD', key) >= apart then
    redis.call('ZREM', key, last.member)
    taken, since = taken + last.taken, last.since
  end
  used = used + many
  last = { at = now }
  redis.call('ZADD', key, whole(now), string.format('%016.0f:%.0f:%.0f', before + used, taken, since))
  redis.call('PEXPIRE', key, whole(math.ceil((now - clock + window) / 1000) + 1000))
elseif many > max then
  fitsAt = -1
elseif not fits then
  local wanted = before + used + many - max
  local low, high = redis.call('ZCOUNT', key, '-inf', edge), redis.call('ZCARD', key) - 1
  if first.total >= wanted then high = low end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if ranked(middle).total >= wanted then high = middle else low = middle + 1 end
  end
  fitsAt = ranked(low).at + window
end
local resetAt = last and last.at + window or now
local words = table.concat({ fits and '1' or '0', whole(used), whole(now), whole(fitsAt), whole(resetAt) }, ' ')
if KEYS[2] and fits and taking then redis.call('SET', KEYS[2], words .. ' ' .. ARGV[6], 'PX', ARGV[7]) end
return words
`
