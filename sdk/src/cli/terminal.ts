import { oneLine } from "./failure.ts"

/** Where a command writes to. */
export interface Terminal {
  /** What was asked for: for a person, or with `--json` for a program. */
  out(text: string): void
  /** Everything else. */
  note(text: string): void
  /** Does a person watch what is noted? */
  isWatched: boolean
}

/** One line that is written over as it goes on; nothing where nobody watches. */
export interface ProgressLine {
  show(text: string): void
  end(): void
}

const CLEAR_LINE = "\r\u001b[2K"
const WIDTH = 79

export const progressLine = (terminal: Terminal, isQuiet: boolean): ProgressLine => {
  let isShown = false
  return {
    show: (text) => {
      if (isQuiet || !terminal.isWatched) return
      terminal.note(CLEAR_LINE + oneLine(text).slice(0, WIDTH))
      isShown = true
    },
    end: () => {
      if (isShown) terminal.note(CLEAR_LINE)
      isShown = false
    },
  }
}

const BAR_WIDTH = 24

/** `[########----------------]  33 %`. */
export const bar = (share: number): string => {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * BAR_WIDTH)
  const percent = String(Math.floor(Math.min(Math.max(share, 0), 1) * 100)).padStart(3)
  return `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${percent} %`
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"]

export const bytesText = (bytes: number): string => {
  let unit = 0
  let value = bytes
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/** Rows under a heading, in columns as wide as they have to be. */
export const table = (headings: readonly string[], rows: readonly (readonly unknown[])[]): string => {
  const cells = [headings, ...rows].map((row) => row.map((cell) => oneLine(String(cell ?? "-"))))
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
