import { expect, test } from "vitest"
import { METRIC_UNITS, metricsOf } from "../../../functions/platform/metric-log.ts"
import { handClock } from "./fakes.ts"

const clock = handClock()

const linesOf = (tell: (metrics: NonNullable<ReturnType<typeof metricsOf>>) => void): string[] => {
  const lines: string[] = []
  tell(metricsOf({ HOTSWAP_STAGE: "prod" }, clock, (line) => lines.push(line))!)
  return lines
}

test("figures are one line in the embedded metric format: each is named with its unit, and stands beside its one dimension", () => {
  const [line = "", ...others] = linesOf((metrics) => metrics.tell({ OutboxAge: 3.5, OutboxMarks: 2 }))
  expect(others).toEqual([])
  expect(line).not.toContain("\n")
  expect(JSON.parse(line)).toEqual({
    _aws: {
      Timestamp: clock.nowMs(),
      CloudWatchMetrics: [
        {
          Namespace: "Hotswap",
          Dimensions: [["Stage"]],
          Metrics: [
            { Name: "OutboxAge", Unit: "Seconds" },
            { Name: "OutboxMarks", Unit: "Count" },
          ],
        },
      ],
    },
    Stage: "prod",
    OutboxAge: 3.5,
    OutboxMarks: 2,
  })
})

test("what is not known is not told, neither as null nor as nothing at all", () => {
  const [line = "", ...others] = linesOf((metrics) => {
    metrics.tell({ DrillAge: null, BackupAge: 7, OutboxAge: Number.NaN })
    metrics.tell({ DrillAge: null })
  })
  expect(others).toEqual([])
  const { _aws, ...told } = JSON.parse(line)
  expect(told).toEqual({ Stage: "prod", BackupAge: 7 })
  expect(_aws.CloudWatchMetrics[0].Metrics).toEqual([{ Name: "BackupAge", Unit: "Seconds" }])
})

test("what was seen before is told as of then", () => {
  const atMs = clock.nowMs() - 90_000
  const [line = ""] = linesOf((metrics) => metrics.tell({ PointerAge: 1 }, atMs))
  expect(JSON.parse(line)._aws.Timestamp).toBe(atMs)
})

test("all figures at once are within what one line may define", () => {
  expect(Object.keys(METRIC_UNITS).length).toBeLessThanOrEqual(100)
})

test("nothing is told where no stage is named", () => {
  expect(metricsOf({}, clock)).toBeUndefined()
})
