import { must, type World } from "../manage/world.ts"

/** Somebody who counts a key up and up. */
export interface Counter {
  environment: string
  key: string
  /** What was asked for, and what was answered as done. */
  asked: number
  done: number
}

export interface Writers {
  counters: readonly Counter[]
  /** How many writes were answered. */
  writes: () => number
  /** Ends them; throws what one of them failed with. */
  stop: () => Promise<void>
}

const ENVIRONMENTS = ["Development", "QA"]
/** More than one is altered at a time. */
const COUNTERS = 4

/** People who write to a tenant without a pause: single values, several at once, secrets, approvals, things that are no changes. */
export const startWriters = async (world: World, tenantId: string): Promise<Writers> => {
  const counters = Array.from(
    { length: COUNTERS },
    (_, nth): Counter => ({
      environment: ENVIRONMENTS[nth % ENVIRONMENTS.length]!,
      key: `counter.${nth}`,
      asked: 0,
      done: 0,
    }),
  )
  let isOver = false
  let writes = 0
  const send = async (method: string, path: string, body: unknown, ok: readonly number[]) => {
    const answer = await world.call(method, path, { body })
    if (!ok.includes(answer.status)) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    writes += 1
    return answer
  }
  const count = async (counter: Counter): Promise<void> => {
    const { environment, key } = counter
    while (!isOver) {
      counter.asked += 1
      const edits = [
        { key, value: counter.asked },
        { key: `${key}.twin`, value: counter.asked },
      ]
      await send("POST", "/api/v1/changes", { tenantId, environment, edits }, [200, 201, 202])
      counter.done = counter.asked
    }
  }
  const gossip = async (): Promise<void> => {
    for (let nth = 0; !isOver; nth++) {
      const open = await send(
        "POST",
        "/api/v1/changes",
        {
          tenantId,
          environment: "Staging",
          edits: [{ key: `waits.${nth}`, value: nth }],
          strategy: { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] },
        },
        [202],
      )
      const { changeId } = open.body as { changeId: string }
      await send("POST", `/api/v1/changes/${changeId}/comments`, { text: `note ${nth}` }, [200, 201])
      await send("POST", `/api/v1/changes/${changeId}/abort`, {}, [200])
      await send(
        "POST",
        "/api/v1/configs",
        { tenantId, environment: "Development", key: `secret.${nth}`, value: `s${nth}`, secret: true },
        [201],
      )
      await send("PATCH", `/api/v1/tenants/${tenantId}`, { displayName: `the ${nth}th` }, [200])
    }
  }
  await must(world.call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } }), 201)
  const running = [...counters.map(count), gossip()]
  for (const one of running) one.catch(() => {})
  return {
    counters,
    writes: () => writes,
    stop: async () => {
      isOver = true
      await Promise.all(running)
    },
  }
}
