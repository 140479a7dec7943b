import { afterAll, beforeAll, expect, test } from "vitest"
import { type Database, openDatabase } from "../../db/client.ts"
import { readPointer } from "../../db/queries/reading.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { findToken } from "../../db/queries/tokens.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { startWire, type Wire } from "../support/wire.ts"
import { DEVELOPMENT, directCommit, key, makeTenant, tenantId } from "./fixtures.ts"

let database: OpenTestDatabase
let wire: Wire
let counted: Database
const scope = tenantId("counted")

beforeAll(async () => {
  database = await openTestDatabase()
  await makeTenant(database.app, scope)
  wire = await startWire(database.url("hotswap_app"))
  counted = openDatabase({ url: wire.url, applicationName: "counted", max: 1 })
})
afterAll(async () => {
  await counted.close()
  await wire.close()
  await database.close()
})

const load = async () =>
  (await loadScope(counted, { scope, environment: DEVELOPMENT, keys: [key("a")] }))!.state

/** Round trips of the second run: the first one also prepares the statement on its connection. */
const roundTripsOf = async (work: () => Promise<unknown>) => {
  await work()
  wire.roundTrips()
  await work()
  return wire.roundTrips()
}

test("loading a scope is one round trip", async () => {
  expect(await roundTripsOf(load)).toBe(1)
})

test("committing is one round trip, and so is being refused", async () => {
  const commits = [await load(), await load()].map((state) => directCommit(state, "a", 1))
  await commitScope(counted, commits[0]!)
  wire.roundTrips()
  expect(await commitScope(counted, commits[1]!)).toEqual({ kind: "conflict" })
  expect(wire.roundTrips()).toBe(1)
  const next = directCommit(await load(), "a", 2)
  wire.roundTrips()
  expect((await commitScope(counted, next)).kind).toBe("committed")
  expect(wire.roundTrips()).toBe(1)
})

test("reading a pointer with all its layers and chunks is one round trip", async () => {
  expect(await roundTripsOf(() => readPointer(counted, scope, DEVELOPMENT, []))).toBe(1)
})

test("finding a token is one round trip", async () => {
  expect(await roundTripsOf(() => findToken(counted, scope, "counted:tok_0" as never))).toBe(1)
})
