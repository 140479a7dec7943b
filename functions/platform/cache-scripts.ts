/**
 * Compare-and-set of a pointer document, so that Redis never goes back a revision: the same rule as
 * `isNewer` in core/release/revision.ts; of one revision, what was read later wins. What is not this
 * tenant's, or not whole, is overwritten.
 * KEYS[1] the document; ARGV: text, time to live in seconds, how this tenant's documents begin.
 */
export const SWAP_POINTER = `
local function read(text)
  if string.sub(text, 1, #ARGV[3]) ~= ARGV[3] or string.sub(text, -1) ~= '}' then return nil end
  local e, p, t, n, at = string.match(text, '"revision":"(%d+)%.(%d+)%.(%d+)%.(%d+)","readAtMs":(%d+)')
  if not at then return nil end
  return { tonumber(e), tonumber(p), tonumber(t), tonumber(n), tonumber(at) }
end
local function newer(a, b)
  if a[1] ~= b[1] then return a[1] > b[1] end
  if a[2] < b[2] or a[4] < b[4] then return false end
  if a[4] > b[4] then return true end
  if a[3] < b[3] then return false end
  return a[2] > b[2] or a[3] > b[3]
end
local new = read(ARGV[1])
local text = redis.call('GET', KEYS[1])
local old = text and read(text)
if old and not newer(new, old) then
  for i = 1, 4 do if new[i] ~= old[i] then return 0 end end
  if new[5] <= old[5] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
`

/**
 * Raises a mark, \`epoch.seq\`, never lowers it. KEYS[1] the marks; ARGV: scope, epoch, seq, time to live in
 * seconds. They need to outlive only the documents they overtake.
 */
export const RAISE_MARK = `
local mark = redis.call('HGET', KEYS[1], ARGV[1])
local epoch, seq = string.match(mark or '', '^(%d+)%.(%d+)$')
epoch, seq = tonumber(epoch or 0), tonumber(seq or 0)
local newEpoch, newSeq = tonumber(ARGV[2]), tonumber(ARGV[3])
if newEpoch > epoch or (newEpoch == epoch and newSeq > seq) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '.' .. ARGV[3])
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
`
