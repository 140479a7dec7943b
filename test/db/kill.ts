import { sql } from "drizzle-orm"
import { type Database, DatabaseUnavailable, openDatabase } from "../../db/client.ts"
import { type PostgresServer, startPostgres } from "../../local/postgres.ts"

export interface KillReport {
  kills: number
  /** Calls that neither succeeded nor failed within their deadline. */
  unanswered: number
  /** Acknowledged writes that were not there afterwards. */
  lost: number
  /** Errors that nobody could have caught. */
  uncaught: number
}

const WRITERS = 6

/**
 * Kills a server with -9 while transactions are open in every phase (begun, between statements, committing), as
 * often as asked, and starts it again on the same data and port.
 */
export const killInTransactions = async (directory: string, kills: number): Promise<KillReport> => {
  const report: KillReport = { kills: 0, unanswered: 0, lost: 0, uncaught: 0 }
  const count = () => {
    report.uncaught++
  }
  process.on("uncaughtException", count)
  process.on("unhandledRejection", count)
  let server = await startPostgres({ directory, durability: "full" })
  const { port } = server
  const client = openDatabase({
    url: server.url("hotswap_owner"),
    applicationName: "kill",
    max: WRITERS,
    deadlineMs: 2_000,
  })
  try {
    await client.transaction(({ db }) =>
      db.execute(sql`create table if not exists kept (id text primary key)`),
    )
    for (let round = 0; round < kills; round++) {
      const acknowledged = await writeUntilKilled(client, server, round, report)
      server = await startPostgres({ directory, durability: "full", port })
      report.kills++
      const rows = await client.transaction(({ db }) => db.execute<{ id: string }>(sql`select id from kept`))
      const kept = new Set(rows.map(({ id }) => id))
      report.lost += acknowledged.filter((id) => !kept.has(id)).length
    }
    return report
  } finally {
    await client.close()
    await server.stop()
    process.off("uncaughtException", count)
    process.off("unhandledRejection", count)
  }
}

const writeUntilKilled = async (
  client: Database,
  server: PostgresServer,
  round: number,
  report: KillReport,
) => {
  const acknowledged: string[] = []
  let dead = false
  const write = async (writer: number) => {
    for (let n = 0; !dead; n++) {
      const id = `${round}-${writer}-${n}`
      try {
        await client.transaction(async ({ db }) => {
          await db.execute(sql`insert into kept values (${id})`)
          await db.execute(sql`select pg_sleep(0.001 * ${writer})`)
        })
        acknowledged.push(id)
        // Only once writes are flowing, so that the kill meets transactions in every phase.
        if (acknowledged.length === 20 * WRITERS) process.kill(server.pid, "SIGKILL")
      } catch (error) {
        if (!(error instanceof DatabaseUnavailable)) throw error
        if (/did not answer within/.test(error.message)) report.unanswered++
        dead = true
      }
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
  await server.exited
  return acknowledged
}
