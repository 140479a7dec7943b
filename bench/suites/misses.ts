import { fork } from "node:child_process"
import type { Figure, Report } from "./suite.ts"

/** Misses are measured in a process of their own, where nothing else is warm and memory can be weighed. */
export const misses = (report: Report): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL("../contenders/misses.ts", import.meta.url), { execArgv: ["--expose-gc"] })
    child.on("message", (figure) => report.figure(figure as Figure))
    child.once("error", reject)
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`the misses ended with ${code}`)),
    )
  })
