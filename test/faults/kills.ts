import { expect } from "vitest"
import { freePort, type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"

/** The last value each key's writer was told is stored, and the one it was about to write. */
interface Ledger {
  acknowledged: Map<string, number>
  attempted: Map<string, number>
}

const WRITERS = 4
/** At any moment of a write, not at a turn of the clock. */
const SOON = { timeout: 60_000, interval: 1 }

/**
 * Kills a Hotswap that is being written to, `times` times over on the same data, and after each next start
 * holds it to what it had acknowledged. Returns how many writes that were.
 */
export const killWhileWriting = async (
  what: "node" | "group",
  times: number,
): Promise<{ acknowledged: number }> => {
  const home = await temporaryHome()
  const ports = { edge: await freePort(), origin: await freePort() }
  const ledger: Ledger = { acknowledged: new Map(), attempted: new Map() }
  let total = 0
  let hotswap = await startHotswap({ home, ports })
  try {
    await hotswap.call("POST", "/api/v1/tenants", { body: { name: "Kept", tenantId: "kept" } })
    const reader = await hotswap.call<{ token: string }>("POST", "/api/v1/tenants/kept/tokens", {
      body: { subject: "reader", roles: ["reader"], environment: "Development" },
    })
    for (let round = 0; round < times; round++) {
      const before = sum(ledger)
      const killed = new AbortController()
      const writers = Array.from({ length: WRITERS }, (_, i) =>
        write(hotswap, `writer.${i}`, ledger, killed.signal),
      )
      await expect.poll(() => sum(ledger), SOON).toBeGreaterThanOrEqual(before + 20 + 3 * round)
      killed.abort()
      await hotswap.kill(what)
      await Promise.all(writers)
      total = sum(ledger)
      hotswap = await startHotswap({ home, ports })
      await expectKept(hotswap, ledger, reader.body.token)
    }
  } finally {
    await hotswap.stop()
    await removeHome(home)
  }
  expect(await taken(ports.edge), "nothing holds the edge's port").toBe(false)
  expect(await taken(ports.origin), "nothing holds the origin's port").toBe(false)
  return { acknowledged: total }
}

const sum = (ledger: Ledger): number => [...ledger.acknowledged.values()].reduce((a, b) => a + b, 0)

/** Counts a key up by ones, noting each acknowledged count, until the server is gone. */
const write = async (
  hotswap: RunningHotswap,
  key: string,
  ledger: Ledger,
  killed: AbortSignal,
): Promise<void> => {
  for (;;) {
    const next = Math.max(ledger.acknowledged.get(key) ?? 0, ledger.attempted.get(key) ?? 0) + 1
    ledger.attempted.set(key, next)
    const exists = (ledger.acknowledged.get(key) ?? 0) > 0 || next > 1
    const put = () =>
      hotswap.call("PUT", `/api/v1/configs/kept:Development:${key}`, { body: { value: next } })
    const post = () =>
      hotswap.call("POST", "/api/v1/configs", {
        body: { tenantId: "kept", environment: "Development", key, value: next },
      })
    const answer = await (exists ? put() : post()).catch(() => null)
    if (answer === null) return
    if (answer.status === 404 && exists) {
      // The very first write was cut off before it was stored: begin again.
      ledger.attempted.delete(key)
      continue
    }
    // Only busy, as long as nobody has killed it: whether it was stored the next one will tell.
    if (answer.status === 503 && !killed.aborted) continue
    if (answer.status === 503) return
    expect([200, 201], JSON.stringify(answer.body)).toContain(answer.status)
    ledger.acknowledged.set(key, next)
  }
}

const expectKept = async (hotswap: RunningHotswap, ledger: Ledger, readerToken: string): Promise<void> => {
  // The first read after a start, by an application, is already right.
  const view = await hotswap.call<{ configs: Record<string, number> }>(
    "GET",
    "/api/v1/configs/tenant/kept?environment=Development",
    { token: readerToken },
  )
  expect(view.status).toBe(200)
  for (const [key, acknowledged] of ledger.acknowledged) {
    const kept = view.body.configs[key] ?? 0
    expect(kept, `${key} keeps what was acknowledged`).toBeGreaterThanOrEqual(acknowledged)
    expect(kept, `${key} holds only what was written`).toBeLessThanOrEqual(ledger.attempted.get(key) ?? 0)
    const numbers = await versionsOf(hotswap, key)
    expect(numbers, `${key} has versions without gaps`).toEqual(numbers.map((_, i) => numbers.length - i))
    ledger.attempted.set(key, kept)
  }
  const audit = await hotswap.call<{ ok: boolean; entries: number }>("POST", "/api/v1/audit/verify", {
    body: { tenantId: "kept" },
  })
  expect(audit.body.ok, "the audit chain is whole").toBe(true)
}

const versionsOf = async (hotswap: RunningHotswap, key: string): Promise<number[]> => {
  const numbers: number[] = []
  let cursor: string | null = null
  do {
    const page: { body: { items: { version: number }[]; nextCursor: string | null } } = await hotswap.call(
      "GET",
      `/api/v1/configs/kept:Development:${key}/versions?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
    )
    numbers.push(...page.body.items.map(({ version }) => version))
    cursor = page.body.nextCursor
  } while (cursor)
  return numbers
}

const taken = async (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(500) }).then(
    () => true,
    () => false,
  )
