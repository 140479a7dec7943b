import { setTimeout as pause } from "node:timers/promises"
import { outputOf, outputsOf } from "./deploy.ts"

const ATTEMPTS = 10
const PAUSE_MS = 3_000
const DEADLINE_MS = 15_000

const answerOf = async (url: URL): Promise<string> => {
  try {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) })
    return String(status)
  } catch (error) {
    return String(error)
  }
}

/** Asks until it is ready for requests, database and all. Throws with the last answer if it does not become so. */
export const waitUntilReady = async (base: string, pauseMs = PAUSE_MS): Promise<void> => {
  const url = new URL("/ready", base)
  let answer = ""
  for (let nth = 0; nth < ATTEMPTS; nth++) {
    if (nth > 0) await pause(pauseMs)
    answer = await answerOf(url)
    if (answer === "200") return
  }
  throw new Error(`${url.href} is not ready: ${answer}`)
}

/** Whether the functions of the stage that people call are ready, before anybody is sent to them. */
export const checkReady = async (stage: string): Promise<void> =>
  await waitUntilReady(outputOf(await outputsOf(stage), "ManageDoorUrl"))
