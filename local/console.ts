import { buildConsole } from "../console/build.ts"

/** The console out of its sources, for whoever opens it first. */
export const builtConsole = async (): Promise<ReadonlyMap<string, Uint8Array>> =>
  new Map(buildConsole().map(({ name, contents }) => [name, contents]))
