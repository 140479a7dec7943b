import { execFileSync } from "node:child_process"
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { stringify } from "yaml"
import { TENANT_METRICS, type TenantMetric, typeOfMetric } from "../../core/usage/metrics.ts"
import { metricsOf } from "../../functions/manage/metrics.ts"
import { files } from "../../infra/grafana/files.ts"
import { groups } from "../../infra/grafana/rules.ts"
import { service } from "../../infra/grafana/service.ts"
import { tenants } from "../../infra/grafana/tenants.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { readDocuments } from "../support/documents.ts"
import { ROOT } from "../support/source-tree.ts"

const FOLDER = join(ROOT, "infra/grafana")
const DASHBOARDS = [service(), tenants()]

interface Shown {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; refId: string; datasource: { uid: string } }[]
  datasource?: { uid: string }
}
const panelsOf = ({ panels }: (typeof DASHBOARDS)[number]): Shown[] => panels as unknown as Shown[]

const queries = [
  ...DASHBOARDS.flatMap(panelsOf).flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ of: title, expr })),
  ),
  ...groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ of: alert, expr }))),
]

const RANGES: Readonly<Record<string, string>> = { $__rate_interval: "5m", $__range: "6h" }
/** As Prometheus is asked it, once Grafana has filled it in. */
const asAsked = (expr: string): string =>
  expr.replaceAll(/\$__\w+/g, (name) => RANGES[name]!).replaceAll(/\$\w+/g, "some")

const binary = (process.env.PATH ?? "")
  .split(delimiter)
  .map((directory) => join(directory, "promtool"))
  .find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

describe("what Grafana and Prometheus load", () => {
  test("is what `npm run dashboards` writes", () => {
    for (const [path, text] of files())
      expect(readFileSync(join(FOLDER, path), "utf8"), `${path}: run npm run dashboards`).toBe(text)
  })

  describe.each(DASHBOARDS)("$title", (dashboard) => {
    const panels = panelsOf(dashboard)

    test("has panels that stand beside and below each other, each with a number, a title and what it says", () => {
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
      const taken = new Set<string>()
      for (const { title, type, description, gridPos } of panels) {
        expect(title).not.toBe("")
        if (type !== "row") expect(description, title).toMatch(/\w{3}/)
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x} ${y}`), `${title} lies over another`).toBe(false)
            taken.add(`${x} ${y}`)
          }
      }
    })

    test("asks whichever Prometheus is chosen", () => {
      for (const { title, targets = [], datasource } of panels.filter(({ type }) => type !== "row")) {
        expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length)
        for (const { uid } of [datasource!, ...targets.map((target) => target.datasource)])
          expect(uid).toBe("$datasource")
      }
    })
  })

  test("shows tenants of the chosen tier, one, some or all of them, in every panel", () => {
    const dashboard = tenants()
    const chosen = dashboard.templating.list!.map(({ name, query }) => [name, query])
    expect(chosen).toEqual([
      ["datasource", "prometheus"],
      ["tier", "label_values(hotswap_tenant_requests_total, tier)"],
      ["tenant", 'label_values(hotswap_tenant_requests_total{tier=~"$tier"}, tenant)'],
    ])
    for (const { expr } of panelsOf(dashboard).flatMap(({ targets = [] }) => targets))
      for (const [selector] of expr.matchAll(/hotswap_\w+\{?[^}]*/g))
        expect(selector).toContain('tenant=~"$tenant", tier=~"$tier"')
  })
})

describe("every query", () => {
  let database: OpenTestDatabase
  beforeAll(async () => {
    database = await openTestDatabase()
  })
  afterAll(() => database.close())

  const SUFFIXES = { counter: [""], gauge: [""], histogram: ["_bucket", "_sum", "_count"] }
  const ofTenants = new Map<string, readonly string[]>(
    Object.entries(TENANT_METRICS).flatMap(([name, { labels }]) =>
      SUFFIXES[typeOfMetric(name as TenantMetric)].map(
        (suffix) => [`hotswap_tenant_${name}${suffix}`, labels] as const,
      ),
    ),
  )

  test("names what GET /metrics tells, by labels that it has", async () => {
    const told = new Map<string, readonly string[]>(ofTenants)
    for (const { name, label } of await metricsOf({ system: database.system }))
      told.set(name, label === undefined ? [] : [label])
    for (const { of, expr } of queries)
      for (const [, name = "", selector = ""] of expr.matchAll(/\b(hotswap_\w+)(?:\{([^}]*)\})?/g)) {
        expect(told.has(name), `${of}: ${name}`).toBe(true)
        const own = ofTenants.has(name) ? ["tenant", "tier", "le", ...told.get(name)!] : told.get(name)!
        for (const [label] of selector.matchAll(/\w+(?=\s*[!=]~?")/g))
          expect(own, `${of}: ${name}`).toContain(label)
      }
  })

  test("of a counter is of its rate or its increase", () => {
    for (const { of, expr } of queries)
      for (const [, before = ""] of expr.matchAll(/(\w*\(?)hotswap_\w+_(?:total|bucket)\b/g))
        expect(before, of).toMatch(/^(rate|increase)\($/)
  })
})

test("each alert leads to a page that says what to do", () => {
  const documents = readDocuments()
  for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) {
    const [path, anchor] = annotations.page.split("#")
    const document = documents.find((one) => one.path === path)
    expect(document, `${alert}: ${path}`).toBeDefined()
    if (anchor !== undefined) expect(document!.anchors.has(anchor), `${alert}: #${anchor}`).toBe(true)
  }
})

if (process.env.CI === "true")
  test("Prometheus is there to judge the rules", () => expect(binary, "install prometheus").toBeDefined())

describe.skipIf(binary === undefined)("Prometheus' own judge", () => {
  const folder = mkdtempSync(join(tmpdir(), "hotswap-rules-"))
  afterAll(() => rmSync(folder, { recursive: true }))
  const judge = (...args: string[]): string => execFileSync(binary!, args, { encoding: "utf8" })

  test("takes the rules as they are", () => {
    expect(judge("check", "rules", join(FOLDER, "hotswap.rules.yaml"))).toContain("SUCCESS")
  })

  test("can read every query of the dashboards", () => {
    const rules = queries.map(({ expr }, nth) => ({ record: `query:${nth}`, expr: asAsked(expr) }))
    const file = join(folder, "queries.yaml")
    writeFileSync(file, stringify({ groups: [{ name: "queries", rules }] }))
    expect(judge("check", "rules", file)).toContain(`${queries.length} rules found`)
  })

  /** Minutes of a story, and the alerts of a name that are on at its end: how many. */
  const story = (alert: string, series: Readonly<Record<string, string>>, minutes: number, on: boolean) => {
    const found = groups.flatMap(({ rules }) => rules).find((one) => one.alert === alert)!
    return {
      interval: "1m",
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alert}", alertstate="firing"})`,
          eval_time: `${minutes}m`,
          exp_samples: on ? [{ labels: "{}", value: 1 }] : [],
        },
      ],
      name: `${alert} ${found.for}`,
    }
  }
  const requests = (status: number, values: string, tenant = "acme") => ({
    [`hotswap_tenant_requests_total{tenant="${tenant}",source="service",status="${status}"}`]: values,
  })

  test("has them go off when it is time, and not before", () => {
    const up = { hotswap_backup_scopes: "3x60" }
    const tests = [
      story("HotswapErrors", { ...requests(200, "0+100x30"), ...requests(500, "0+5x30") }, 20, true),
      story("HotswapErrors", { ...requests(200, "0+1000x30"), ...requests(500, "0+5x30") }, 20, false),
      story("HotswapErrors", { ...requests(200, "0+1x30"), ...requests(500, "0+1x30") }, 20, false),
      story(
        "HotswapTenantErrors",
        {
          ...requests(200, "0+100x40"),
          ...requests(200, "0+90x40", "beta"),
          ...requests(500, "0+10x40", "beta"),
        },
        30,
        true,
      ),
      story("HotswapDown", { other: "1x30" }, 10, true),
      story("HotswapDown", up, 10, false),
      story("HotswapOutboxOld", { hotswap_outbox_age_seconds: "40x10" }, 5, true),
      story("HotswapOutboxOld", { hotswap_outbox_age_seconds: "0 40 0 40 0 40 0 40 0" }, 5, false),
      story("HotswapChangesLate", { hotswap_changes_late_seconds: "0+60x20" }, 10, true),
      story("HotswapJobsDead", { 'hotswap_jobs_dead{kind="export"}': "1x5" }, 2, true),
      story("HotswapJobsDead", { 'hotswap_jobs_dead{kind="export"}': "0x5" }, 2, false),
    ]
    const file = join(folder, "stories.yaml")
    writeFileSync(
      file,
      stringify({ rule_files: [join(FOLDER, "hotswap.rules.yaml")], evaluation_interval: "1m", tests }),
    )
    expect(judge("test", "rules", file)).toContain("SUCCESS")
  })
})
