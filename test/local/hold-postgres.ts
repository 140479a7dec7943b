// Started by postgres.test.ts as a process of its own, to be killed: starts a server, says so, and waits.
import { startPostgres } from "../../local/postgres.ts"

const server = await startPostgres({ directory: process.argv[2]!, durability: "full" })
console.log(JSON.stringify({ pid: server.pid, port: server.port }))
setInterval(() => {}, 60_000)
