import { describe, expect, test } from "vitest"
import { redisServerBinary, startTestRedis } from "../support/redis.ts"
import { redisContract } from "./redis.contract.ts"

const binary = redisServerBinary()

redisContract("embedded", () => startTestRedis("embedded"))

describe.skipIf(binary === null)("with redis-server on this machine", () => {
  redisContract("real", () => startTestRedis("bridge"))
})

test("in continuous integration the contract is held against a real Redis too", () => {
  if (process.env.CI === "true") expect(binary, "install redis-server").not.toBeNull()
})
