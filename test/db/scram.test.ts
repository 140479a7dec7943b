import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { scramVerifier } from "../../db/scram.ts"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

test("what a password is told as is what the server makes of it itself", async () => {
  const sql = postgres(database.url("postgres"), { max: 1 })
  const password = "it's 24 $%& long, or more"
  try {
    // Rolled back: roles are the whole server's.
    await sql.begin(async (tx) => {
      await tx.unsafe(`create role scram_of_a_test password 'it''s 24 $%& long, or more'`)
      const [row] = await tx`select rolpassword as kept from pg_authid where rolname = 'scram_of_a_test'`
      const [, salt] = /^SCRAM-SHA-256\$4096:([^$]+)\$/.exec(row?.kept)!
      expect(scramVerifier(password, Buffer.from(salt!, "base64"))).toBe(row?.kept)
      throw new Error("rolled back")
    })
  } catch (error) {
    expect((error as Error).message).toBe("rolled back")
  } finally {
    await sql.end()
  }
})

test("each has a salt of its own, and what the server would normalise first is left to it", () => {
  expect(scramVerifier("same")).not.toBe(scramVerifier("same"))
  expect(scramVerifier("geheim\u00adnis")).toBe("geheim\u00adnis")
})
