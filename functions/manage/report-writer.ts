import type { JsonObject } from "../../core/json.ts"
import { csvRow, markdownFacts, markdownHead, markdownRow, type Table } from "../../core/report/table.ts"

export const REPORT_FORMATS = ["json", "csv", "md"] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

export const REPORT_TYPES: Readonly<Record<ReportFormat, string>> = {
  json: "application/json; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  md: "text/markdown; charset=utf-8",
}

/** A report on its way out: what stands above, and its items, fetched as they are written. */
export interface Written<Item> {
  title: string
  head: JsonObject
  table: Table<Item>
  items: AsyncIterable<Item>
}

async function* asJson<Item>({ head, items }: Written<Item>): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"items":[`
  let count = 0
  for await (const item of items) yield `${count++ === 0 ? "\n" : ",\n"}${JSON.stringify(item)}`
  // Whoever reads it knows by this that it is whole.
  yield `\n],"count":${count}}\n`
}

async function* asCsv<Item>({ table, items }: Written<Item>): AsyncGenerator<string> {
  yield csvRow(table.columns)
  for await (const item of items) yield table.rowsOf(item).map(csvRow).join("")
}

const factOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

async function* asMarkdown<Item>({ title, head, table, items }: Written<Item>): AsyncGenerator<string> {
  const facts = Object.fromEntries(Object.entries(head).map(([name, value]) => [name, factOf(value)]))
  yield `# ${title}\n\n${markdownFacts(facts)}${markdownHead(table.columns)}`
  let count = 0
  for await (const item of items) {
    count++
    yield table.rowsOf(item).map(markdownRow).join("")
  }
  yield `\n${count} in all.\n`
}

const WRITERS = { json: asJson, csv: asCsv, md: asMarkdown } as const

/** The report as bytes, piece by piece. */
export async function* writeReport<Item>(
  format: ReportFormat,
  report: Written<Item>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  for await (const text of WRITERS[format](report)) yield encoder.encode(text)
}
