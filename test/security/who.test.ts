import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ROOT } from "../support/source-tree.ts"
import { statusOf } from "./attack.ts"
import { EVASIONS } from "./evasions.ts"
import { securityPage, WHO_ATTACKS } from "./security-page.ts"
import { createWhoWorld, type WhoWorld } from "./who-world.ts"

let world: WhoWorld
beforeAll(async () => {
  world = await createWhoWorld()
})
afterAll(() => world.close())

const asBearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

describe("what is right passes, so that what is blocked is blocked for its fault", () => {
  test("a person's token of each issuer", async () => {
    const { corp, partner, ops } = world
    const globex = { path: "/api/v1/tenants/globex" }
    const sent = [
      asBearer(corp.token()),
      asBearer(corp.token({ header: { typ: undefined }, claims: { aud: ["billing", corp.audience] } })),
      asBearer(corp.token({ header: { typ: "at+jwt" }, claims: { iat: undefined } })),
      asBearer(corp.token({ claims: { exp: corp.seconds() - 20 } })),
      { ...globex, ...asBearer(partner.token({ claims: { tenant: "globex" } })) },
      {
        path: "/api/v1/tenants",
        ...asBearer(ops.token({ claims: { tenant: "*", roles: ["platform_admin"] } })),
      },
      asBearer(ops.token()),
    ]
    const answers = await Promise.all(sent.map((one) => world.send(one)))
    expect(answers.map(({ status, text }) => [status, status === 200 ? "" : text])).toEqual(
      sent.map(() => [200, ""]),
    )
  })

  test("an API token, whatever the case of the scheme", async () => {
    const { token } = world.kept.good
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      const { status } = await world.send({ headers: { authorization: `${scheme} ${token}` } })
      expect(status).toBe(200)
    }
  })
})

describe.each([...new Set(WHO_ATTACKS.map(({ family }) => family))])("%s", (family) => {
  test.each(WHO_ATTACKS.filter((attack) => attack.family === family))("$name: $code", async (attack) => {
    const { status, code, text } = await world.send(await attack.send(world))
    expect({ status, code }, text).toEqual({ status: statusOf(attack.code), code: attack.code })
    const right = await world.send(await attack.right!(world))
    // An application is known, though it administers nothing.
    const passes = right.status < 300 || (attack.code === "UNAUTHENTICATED" && right.code === "FORBIDDEN")
    expect(passes, `what is right does not pass: ${right.text}`).toBe(true)
  })
})

describe("guessing", () => {
  test.each(EVASIONS)("$name: AUTHENTICATION_LIMITED", async ({ address, headers }) => {
    const wrong = (at: number) => {
      const secret = String(at).padStart(43, "A")
      const id = String(at).padStart(32, "0")
      return { authorization: `Bearer hs_acme_${id}_${secret}`, ...headers?.(at, world) }
    }
    const codes: (string | null)[] = []
    for (let at = 0; at <= 100; at++) codes.push((await world.from(address(at), wrong(at))).code)
    expect(new Set(codes.slice(0, 20))).toEqual(new Set(["UNAUTHENTICATED"]))
    const last = await world.from(address(101), wrong(101))
    expect(last).toMatchObject({ status: 429, code: "AUTHENTICATION_LIMITED" })
    expect(Number(last.headers["retry-after"])).toBeGreaterThan(0)
    // Whoever has a right one is not to suffer for it.
    const right = { ...headers?.(0, world), authorization: `Bearer ${world.kept.good.token}` }
    expect((await world.from(address(0), right)).status).toBe(200)
    world.moveClock(121_000)
    expect((await world.from(address(102), wrong(102))).code).toBe("UNAUTHENTICATED")
    world.moveClock(-121_000)
  })
})

test("docs/security.md lists every attack there is", () => {
  const page = readFileSync(join(ROOT, "docs/security.md"), "utf8")
  expect(page, "run `npm run docs:security`").toBe(securityPage(page))
  expect(WHO_ATTACKS.length + EVASIONS.length).toBeGreaterThanOrEqual(120)
  expect(new Set(WHO_ATTACKS.map(({ family, name }) => `${family} ${name}`)).size).toBe(WHO_ATTACKS.length)
})
