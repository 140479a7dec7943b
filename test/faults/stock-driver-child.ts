import { randomUUID } from "node:crypto"
import { setTimeout as pause } from "node:timers/promises"
import postgres from "postgres"
import { PROMISED_MS } from "./kill-load.ts"
import { GIVEN_UP_MS, nowMs, type StockMessage } from "./stock-driver.ts"

// The driver as it comes, with no guard around it: what it would do to a process that used it so.

const WRITERS = 8
const READERS = 8
const REST_MS = 10

const sql = postgres(process.env.STOCK_URL!, { onnotice: () => {} })
const tell = (message: StockMessage): void => void process.send!(message)

/** It has no deadline of its own; so that something can be counted, nobody here waits for longer than this. */
const watched = async (what: "write" | "read", work: Promise<unknown>): Promise<void> => {
  const late = setTimeout(() => tell({ kind: "late", what }), PROMISED_MS[what])
  const givenUp = Promise.withResolvers<never>()
  const limit = setTimeout(() => {
    tell({ kind: "given_up" })
    givenUp.reject(new Error("given up"))
  }, GIVEN_UP_MS)
  try {
    await Promise.race([work, givenUp.promise])
  } finally {
    clearTimeout(late)
    clearTimeout(limit)
  }
}

const keepOn = async (step: () => Promise<void>): Promise<void> => {
  for (;;) {
    await step().catch(() => {})
    await pause(REST_MS)
  }
}

const write = async (): Promise<void> => {
  const id = randomUUID()
  const startedMs = nowMs()
  await watched(
    "write",
    sql.begin(async (tx) => {
      await tx`insert into kept values (${id})`
      await tx`select id from kept where id = ${id}`
    }),
  )
  tell({ kind: "acknowledged", id, startedMs })
}

const read = (): Promise<void> => watched("read", sql`select count(*) from kept where id < ${randomUUID()}`)

process.on("disconnect", () => process.exit())
for (let i = 0; i < WRITERS; i++) void keepOn(write)
for (let i = 0; i < READERS; i++) void keepOn(read)
