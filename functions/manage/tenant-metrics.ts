import { DURATION_BOUNDS } from "../../core/usage/histogram.ts"
import { OTHERS, TENANT_METRICS, type TenantMetric, typeOfMetric } from "../../core/usage/metrics.ts"
import { type ScrapedSeries, scrapeMetric } from "../../db/system-usage.ts"
import type { ManageDeps } from "./deps.ts"

const PREFIX = "hotswap_tenant_"
const SERIES_AT_ONCE = 2_000

const ESCAPED: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" }
const quoted = (value: string): string => `"${value.replace(/[\\"\n]/g, (found) => ESCAPED[found]!)}"`

const labelsOf = (metric: TenantMetric, { owner, tier, labels }: ScrapedSeries): string => {
  const tenant = owner.startsWith("~") ? OTHERS : owner
  const values = JSON.parse(labels) as string[]
  const own = TENANT_METRICS[metric].labels.map((name, nth) => `${name}=${quoted(values[nth]!)}`)
  return [`tenant=${quoted(tenant)}`, `tier=${quoted(tier)}`, ...own].join(",")
}

const histogramLines = (name: string, labels: string, { buckets, value }: ScrapedSeries): string => {
  let count = 0
  const lines = (buckets ?? []).map((many, nth) => {
    count += many
    return `${name}_bucket{${labels},le="${DURATION_BOUNDS[nth] ?? "+Inf"}"} ${count}\n`
  })
  return `${lines.join("")}${name}_sum{${labels}} ${value}\n${name}_count{${labels}} ${count}\n`
}

const linesOf = (metric: TenantMetric, series: ScrapedSeries): string => {
  const name = `${PREFIX}${metric}`
  const labels = labelsOf(metric, series)
  return typeOfMetric(metric) === "histogram"
    ? histogramLines(name, labels, series)
    : `${name}{${labels}} ${series.value}\n`
}

/** Every series of the tenants that fall into a part, in Prometheus' text format: made while it is sent, a page at a time. */
export async function* tenantMetrics(
  { system }: Pick<ManageDeps, "system">,
  { part, parts }: { part: number; parts: number },
): AsyncGenerator<string> {
  for (const metric of Object.keys(TENANT_METRICS) as TenantMetric[]) {
    const { help } = TENANT_METRICS[metric]
    let after: ScrapedSeries | null = null
    do {
      const page: ScrapedSeries[] = await scrapeMetric(system, metric, {
        ...{ after, limit: SERIES_AT_ONCE, part, parts },
      })
      if (page.length > 0 && after === null)
        yield `# HELP ${PREFIX}${metric} ${help}\n# TYPE ${PREFIX}${metric} ${typeOfMetric(metric)}\n`
      if (page.length > 0) yield page.map((series) => linesOf(metric, series)).join("")
      after = page.length < SERIES_AT_ONCE ? null : page.at(-1)!
    } while (after !== null)
  }
}
