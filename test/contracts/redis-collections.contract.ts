import type { Case } from "./redis-commands.contract.ts"

/** Hashes, sets, lists and sorted sets. */
export const COLLECTIONS: Case[] = [
  [
    "hashes keep fields",
    `
      HSET h a 1 b 2 → 2
      HSET h a 3 c 4 → 1
      HGET h a → "3"
      HGET h x → null
      HMGET h a x → ["3",null]
      HGETALL h → ["a","3","b","2","c","4"]
      HLEN h → 3
      HEXISTS h a → 1
      HSETNX h a 9 → 0
      HINCRBY h a 2 → 5
      HINCRBYFLOAT h a 0.25 → "5.25"
      HINCRBY h a 1 → ERR hash value is not an integer
      HKEYS h → ["a","b","c"]
      HVALS h → ["5.25","2","4"]
      HDEL h a b x → 2
      HDEL h c → 1
      EXISTS h → 0
      HSET h a → ERR wrong number of arguments for 'hset' command
      HGETALL h → []
    `,
  ],
  [
    "sets keep members once",
    `
      SADD s a b a → 2
      SISMEMBER s a → 1
      SMISMEMBER s a x → [1,0]
      SCARD s → 2
      SREM s a x → 1
      SMEMBERS s → ["b"]
      SADD t b c → 2
      SINTER s t → ["b"]
      SDIFF t s → ["c"]
      SMOVE t s c → 1
      SCARD s → 2
      SUNIONSTORE u s t → 2
      SREM t b → 1
      EXISTS t → 0
      SPOP none → null
      SRANDMEMBER t → null
    `,
  ],
  [
    "lists keep their order",
    `
      RPUSH l b c → 2
      LPUSH l a z → 4
      LRANGE l 0 -1 → ["z","a","b","c"]
      LRANGE l -2 9 → ["b","c"]
      LINDEX l -1 → "c"
      LPOP l → "z"
      RPOP l 2 → ["c","b"]
      LLEN l → 1
      LPUSHX x a → 0
      LSET l 0 q → "OK"
      LSET l 5 q → ERR index out of range
      LMOVE l m LEFT RIGHT → "q"
      EXISTS l → 0
      RPUSH m q r q → 4
      LREM m -1 q → 1
      LTRIM m 1 1 → "OK"
      LRANGE m 0 -1 → ["q"]
      LPOP none → null
    `,
  ],
  [
    "sorted sets order by score, then by bytes",
    `
      ZADD z 2 b 1 a 2 B → 3
      ZRANGE z 0 -1 → ["a","B","b"]
      ZRANGE z 0 0 WITHSCORES → ["a","1"]
      ZRANGE z 0 -1 REV → ["b","B","a"]
      ZSCORE z b → "2"
      ZSCORE z x → null
      ZMSCORE z a x → ["1",null]
      ZCARD z → 3
      ZRANK z b → 2
      ZREVRANK z b → 0
      ZINCRBY z 0.5 a → "1.5"
      ZADD z CH 9 a 2 b → 1
      ZREM z a x → 1
      ZPOPMIN z → ["B","2"]
      ZPOPMAX z → ["b","2"]
      EXISTS z → 0
      ZADD z 1 "🚀" 1 "￮" → 2
      ZRANGE z 0 -1 → ["￮","🚀"]
    `,
  ],
  [
    "ranges of scores have open, closed and infinite ends",
    `
      ZADD z 1 a 2 b 3 c inf d → 4
      ZRANGEBYSCORE z 1 2 → ["a","b"]
      ZRANGEBYSCORE z (1 (3 → ["b"]
      ZRANGEBYSCORE z -inf +inf WITHSCORES LIMIT 2 2 → ["c","3","d","inf"]
      ZREVRANGEBYSCORE z 3 1 LIMIT 0 1 → ["c"]
      ZRANGE z (1 3 BYSCORE → ["b","c"]
      ZRANGE z 3 (1 BYSCORE REV LIMIT 0 1 → ["c"]
      ZCOUNT z (1 inf → 3
      ZCOUNT z 3 1 → 0
      ZREMRANGEBYSCORE z -inf (2 → 1
      ZREMRANGEBYRANK z 0 0 → 1
      ZRANGE z 0 -1 → ["c","d"]
      ZCOUNT z x 1 → ERR min or max is not a float
      ZADD z x a → ERR value is not a valid float
      ZCOUNT none 0 1 → 0
    `,
  ],
  [
    "ZADD obeys its flags",
    `
      ZADD z XX 1 a → 0
      EXISTS z → 0
      ZADD z nx 5 a → 1
      ZADD z NX 6 a → 0
      ZADD z GT CH 4 a → 0
      ZADD z LT CH 4 a → 1
      ZADD z INCR 3 a → "7"
      ZADD z NX INCR 3 a → null
      ZADD z NX XX 1 a → ERR XX and NX options at the same time are not compatible
      ZADD z 1 → ERR wrong number of arguments for 'zadd' command
      ZADD z 1 a 2 → ERR syntax error
    `,
  ],
  [
    "HSCAN, SSCAN and ZSCAN walk a collection",
    `
      HSET h a 1 b 2 → 2
      HSCAN h 0 MATCH a → ["0",["a","1"]]
      SADD s a → 1
      SSCAN s 0 → ["0",["a"]]
      ZADD z 1 a → 1
      ZSCAN z 0 → ["0",["a","1"]]
    `,
  ],
]
