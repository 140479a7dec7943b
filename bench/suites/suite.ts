/** One measured thing: its numbers, and the goal it is held against where there is one. */
export interface Figure {
  suite: string
  name: string
  values: Readonly<Record<string, number>>
  goal?: { text: string; met: boolean }
}

export interface Report {
  figure(figure: Figure): void
}

/** A group of figures that `npm run bench -- {name}` takes. */
export interface Suite {
  name: string
  run(report: Report): Promise<void>
}
