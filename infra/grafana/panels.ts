import type { Builder } from "@grafana/grafana-foundation-sdk/cog"
import {
  LegendDisplayMode,
  SortOrder,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common"
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard"
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus"
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat"
import { PanelBuilder as SeriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries"

/** In Grafana's words. */
type Unit = "short" | "reqps" | "s" | "percentunit" | "bytes"

/** A line of a panel: a query of Prometheus, and what it is called. */
export type Line = readonly [legend: string, query: string]

interface PanelProps {
  title: string
  /** What it says, and what to do when it looks bad. */
  help: string
  unit: Unit
  lines: readonly Line[]
}

const WIDTH = 8
const HEIGHT = 8
const STAT_HEIGHT = 5
/** Whichever of the reader's sources is chosen above. */
const SOURCE = { type: "prometheus", uid: "$datasource" }

const LETTERS = "ABCDEFGHIJKL"

const queriesOf = (lines: readonly Line[]) =>
  lines.map(([legend, query], nth) =>
    new DataqueryBuilder().refId(LETTERS[nth]!).expr(query).legendFormat(legend).datasource(SOURCE),
  )

/** How something went over time. */
export const series = ({ title, help, unit, lines }: PanelProps): Builder<Panel> =>
  new SeriesBuilder()
    .title(title)
    .description(help)
    .datasource(SOURCE)
    .unit(unit)
    .min(0)
    .legend(new VizLegendOptionsBuilder().showLegend(true).displayMode(LegendDisplayMode.List))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .span(WIDTH)
    .height(HEIGHT)
    .targets(queriesOf(lines))

/** How it stands now. */
export const stat = ({ title, help, unit, lines }: PanelProps): Builder<Panel> =>
  new StatBuilder()
    .title(title)
    .description(help)
    .datasource(SOURCE)
    .unit(unit)
    .noValue("–")
    .span(WIDTH)
    .height(STAT_HEIGHT)
    .targets(queriesOf(lines))

export interface Row {
  title: string
  panels: readonly Builder<Panel>[]
}

interface DashboardProps {
  /** Names it in addresses, for good. */
  uid: string
  title: string
  description: string
  /** The labels that can be chosen, each with a metric that has it. */
  chosenBy: readonly { label: string; metric: string }[]
  rows: readonly Row[]
}

const variableOf = ({ label, metric }: DashboardProps["chosenBy"][number]) =>
  new QueryVariableBuilder(label)
    .label(label)
    .datasource(SOURCE)
    .query(`label_values(${metric}, ${label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*")

/** A dashboard as Grafana imports it. */
export const dashboard = ({ uid, title, description, chosenBy, rows }: DashboardProps): Dashboard => {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(["hotswap"])
    .time({ from: "now-6h", to: "now" })
    .refresh("1m")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder("datasource").label("source").type("prometheus"))
  for (const chosen of chosenBy) builder.withVariable(variableOf(chosen))
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) builder.withPanel(panel)
  }
  return numbered(builder.build())
}

/** Grafana numbers panels when they are saved; so that nothing then differs, it is done before. */
const numbered = ({ panels = [], ...rest }: Dashboard): Dashboard => ({
  ...rest,
  panels: panels.map((panel, nth) => ({ ...panel, id: nth + 1 })),
})
