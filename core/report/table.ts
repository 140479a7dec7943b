import { csvCell } from "../audit/export.ts"

/** A report as rows, for whoever reads it in a spreadsheet or as a page. */
export interface Table<Item> {
  columns: readonly string[]
  /** One row or several for each item. */
  rowsOf: (item: Item) => readonly (readonly string[])[]
}

/** Lists in one cell. */
export const listed = (items: readonly string[]): string => items.join("; ")

export const csvRow = (cells: readonly string[]): string => `${cells.map(csvCell).join(",")}\r\n`

/** What Markdown, or the HTML it is shown as, would take for its own. */
const MARKS = /[\\`*_{}[\]<>|#~!&]/g
const markdownCell = (text: string): string =>
  text.replaceAll(MARKS, (mark) => `&#${mark.charCodeAt(0)};`).replaceAll(/\s*[\r\n]+\s*/g, " ")

export const markdownRow = (cells: readonly string[]): string =>
  `| ${cells.map(markdownCell).join(" | ")} |\n`

/** The two lines that a table of Markdown begins with. */
export const markdownHead = (columns: readonly string[]): string =>
  `${markdownRow(columns)}|${" --- |".repeat(columns.length)}\n`

/** `name: value` lines, as a table of two columns without the braces. */
export const markdownFacts = (facts: Readonly<Record<string, string>>): string =>
  `${markdownHead(["what", "is"])}${Object.entries(facts).map(markdownRow).join("")}\n`
