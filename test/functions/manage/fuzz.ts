import fc from "fast-check"
import { expect } from "vitest"
import { PROBLEMS } from "../../../core/errors.ts"
import { must, type World } from "./world.ts"

type Fields = Record<string, unknown>
const CHANGE = { tenantId: "acme", environment: "QA" }

/** A request of each kind that is as it should be; what is sent differs from it in a place or two. */
const BODIES: Record<string, Fields> = {
  createTenant: {
    name: "Other",
    tenantId: "other",
    tier: "Pro",
    adminEmail: "a@b.example",
    externalIds: { discord: "1" },
  },
  updateTenant: { name: "ACME", displayName: "A", quotas: { keys: 1 }, features: { a: true }, tier: "Pro" },
  issueToken: { subject: "someone", roles: ["viewer"], environment: "QA", expiresInSeconds: 3_600 },
  issuePlatformToken: { subject: "edge", roles: ["reader"], tenants: ["acme"], environment: "QA" },
  createConfig: {
    ...CHANGE,
    key: "made",
    value: { a: 1 },
    description: "d",
    owner: "o",
    schema: { type: "object" },
    locked: true,
  },
  editConfig: {
    value: 2,
    schema: { type: "number" },
    description: "d",
    owner: null,
    locked: false,
    comment: "c",
  },
  rollBackConfig: { toVersion: 1, comment: "c" },
  promoteConfig: {
    targetEnvironment: "Staging",
    approvalRequired: true,
    strategy: { type: "direct" },
    comment: "c",
  },
  submitChange: {
    ...CHANGE,
    edits: [{ key: "k", value: 5 }],
    comment: "c",
  },
  previewChange: {
    ...CHANGE,
    promote: { from: "Development", keys: ["k"] },
    strategy: { type: "canary", steps: [{ weightBp: 100, holdMs: 1 }] },
    contexts: [{ targetingKey: "me" }],
    startAt: "2030-01-01T00:00:00Z",
  },
  approveChange: { comment: "c", contentHash: "0".repeat(64) },
  advanceChange: { step: 0 },
  commentOnChange: { text: "hello" },
  verifyAudit: { tenantId: "acme" },
  setPolicy: {
    stages: [{ role: "manager", required: 1 }],
    allowedStrategies: ["direct", "canary", "blue_green"],
    freezes: [{ name: "nights", timeZone: "Europe/Berlin", days: ["Sun"], from: "22:00", until: "05:00" }],
    gate: { requestsMin: 10 },
    breakGlass: ["manager"],
    remindEveryMs: null,
    expiresAfterMs: 3_600_000,
    comment: "c",
  },
  rollBackEnvironment: { asOf: "2026-01-01T00:00:00Z", comment: "c" },
  signalChange: { source: "a watch", status: "firing", summary: "errors" },
  signalEnvironment: { version: "4", alerts: [{ status: "firing", labels: { alertname: "Errors" } }] },
}
const QUERIES: Record<string, Fields> = {
  listTenants: { tier: "Free", status: "active", limit: "2", cursor: "x" },
  listTokens: { limit: "2" },
  listConfigs: { tenantId: "acme", environment: "QA", prefix: "k" },
  listVersions: { limit: "2" },
  diffVersions: { from: "1", to: "1" },
  explainConfig: { targetingKey: "me" },
  listChanges: { tenantId: "acme", environment: "QA", state: "live,cancelled", limit: "3" },
  listReleases: { limit: "2" },
  listApprovals: { tenantId: "acme", status: "pending" },
  listAudit: {
    tenantId: "acme",
    actor: "a",
    action: "b",
    target: "c",
    from: "2020-01-01T00:00:00Z",
    to: "2030-01-01T00:00:00Z",
  },
}

const HEX = "0".repeat(32)
const word = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(
      "acme",
      "other",
      "nobody",
      "~platform",
      "~tier.Pro",
      "QA",
      "production",
      "k",
      "discord:1",
    ),
    fc.constantFrom(
      `acme:tok_${HEX}`,
      `acme:chg_${HEX}`,
      "acme:QA:k",
      "acme:QA:made",
      "acme:Nowhere:k",
      "a:b:c:d",
    ),
    fc.constantFrom(
      "",
      " ",
      "..",
      "%",
      "%00",
      "%E0%A4%A",
      "-1",
      "0",
      "1e9",
      "null",
      "__proto__",
      "2026-01-01T00:00:00Z",
    ),
    fc.string({ unit: "grapheme", maxLength: 20 }),
  )

const anything = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    word(),
    fc.constantFrom<unknown>(null, true, 0, -5, 1.5, 2 ** 53, [], {}, "x".repeat(300_000)),
    fc.jsonValue({ maxDepth: 3 }),
  )

/** The template with up to two fields altered, taken away, or added. */
const altered = (template: Fields, value: () => fc.Arbitrary<unknown>): fc.Arbitrary<Fields> =>
  fc
    .array(
      fc.tuple(fc.constantFrom(...Object.keys(template), "surplus"), fc.option(value(), { nil: undefined })),
      { maxLength: 2 },
    )
    .map((changes) => ({ ...template, ...Object.fromEntries(changes) }))

/** What was made once cannot be made again: a number of its own for what must be new. */
const fresh = ([body, nonce]: [Fields, number]): Fields => ({
  ...body,
  ...(body.key === "made" ? { key: nonce % 3 === 0 ? "made" : `made.${nonce}` } : {}),
  ...(body.value === 2 ? { value: nonce } : {}),
  ...("edits" in body && Array.isArray(body.edits)
    ? { edits: [...body.edits, { key: `k.${nonce}`, value: nonce }] }
    : {}),
})

const parameter = (name: string, changeIds: readonly string[]): fc.Arbitrary<string> => {
  const right: Record<string, fc.Arbitrary<string>> = {
    tenantId: fc.constantFrom("acme", "other"),
    configId: fc.constantFrom("acme:QA:k", "acme:QA:made", "acme:Development:k", "~platform:QA:k"),
    changeId: fc.constantFrom(...changeIds),
    tokenId: fc.constant(`acme:tok_${HEX}`),
    environment: fc.constantFrom("QA", "Production", "development"),
  }
  return fc.oneof({ weight: 4, arbitrary: right[name] ?? word() }, { weight: 1, arbitrary: word() })
}

const requests = (world: World, changeIds: readonly string[]) => {
  // Deleting the only tenant would leave the rest with nothing to do.
  const routes = world.manage.routes.filter(
    ({ action, reference }) => action !== null && reference.operationId !== "deleteTenant",
  )
  return fc.oneof(
    ...routes.map(({ method, path, reference: { operationId = "" } }) => {
      const names = [...path.matchAll(/\{(.+?)\}/g)].map(([, name = ""]) => name)
      return fc.record({
        method: fc.constant(method),
        path: fc
          .tuple(...names.map((name) => parameter(name, changeIds)))
          .map((values) => path.replaceAll(/\{.+?\}/g, () => encodeURIComponent(values.shift() ?? ""))),
        query: altered(QUERIES[operationId] ?? {}, word),
        body: fc.tuple(altered(BODIES[operationId] ?? {}, anything), fc.nat()).map(fresh),
        ifMatch: fc.option(fc.constantFrom('"1"', "*", "1", '""', 'W/"1"'), { nil: undefined, freq: 4 }),
      })
    }),
  )
}

const searchOf = (query: Fields): string => {
  const given = Object.entries(query).filter((pair): pair is [string, string] => typeof pair[1] === "string")
  return given.length > 0 ? `?${new URLSearchParams(given)}` : ""
}

/** One change that waits and one that is live. */
const prepare = async (world: World): Promise<string[]> => {
  await world.tenant("acme")
  const changeIds: string[] = []
  for (const environment of ["Production", "QA"]) {
    const body = { tenantId: "acme", environment, edits: [{ key: "k", value: 1 }] }
    const { changeId } = (
      await must(world.call<{ changeId: string }>("POST", "/api/v1/changes", { body }), 202)
    ).body
    changeIds.push(changeId)
  }
  return changeIds
}

/** Knocks that often with requests that are nearly right, and holds every answer to the registry of problems. */
export const fuzz = async (world: World, numRuns: number, seed: number): Promise<void> => {
  const changeIds = await prepare(world)
  const answered = new Set<number>()
  await fc.assert(
    fc.asyncProperty(requests(world, changeIds), async ({ method, path, query, body, ifMatch }) => {
      const answer = await world.call<{ code: keyof typeof PROBLEMS }>(
        method.toUpperCase(),
        path + searchOf(query),
        {
          ...(method === "get" ? {} : { body }),
          headers: ifMatch === undefined ? {} : { "if-match": ifMatch },
        },
      )
      answered.add(answer.status)
      expect(answer.status, answer.text).toBeLessThan(500)
      if (answer.status >= 400) expect(PROBLEMS[answer.body.code]?.status, answer.text).toBe(answer.status)
    }),
    { numRuns, seed },
  )
  expect(world.logged).toEqual([])
  // It would prove little if nothing came through the door.
  expect([...answered]).toEqual(expect.arrayContaining([200, 201, 202, 400, 404, 409, 422]))
}
