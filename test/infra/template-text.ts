import type { CloudFormationStackArtifact } from "aws-cdk-lib/cx-api"
import { textOf } from "./allowed.ts"

/** Of code, or of migrations: another with every commit, and no part of the shape. */
const DIGEST = /[0-9a-f]{64}/g
/** A version of a function is named by its code and settings. */
const VERSION = /(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g

const sorted = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  // The order of a list may matter, of names it never does.
  if (Array.isArray(value)) return value.map(sorted)
  const entries = Object.entries(value).map(([name, each]) => [name, sorted(each)] as const)
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

interface Template {
  Resources: Record<string, Record<string, unknown>>
  Outputs?: Record<string, unknown>
}

/** A document inside the template, such as a state machine's: with a line for each of its lines. */
const documentIn = (value: unknown): string | null => {
  const text = typeof value === "object" && value !== null && "Fn::Join" in value ? textOf(value) : value
  if (typeof text !== "string" || !text.startsWith('{"')) return null
  try {
    return JSON.stringify(JSON.parse(text), null, 2).replaceAll("\n", "\n  ")
  } catch {
    return null
  }
}

const section = (title: string, of: Record<string, unknown>): string =>
  [
    title,
    ...Object.entries(of).map(
      ([name, value]) => `  ${name}: ${documentIn(value) ?? JSON.stringify(sorted(value))}`,
    ),
  ].join("\n")

const byTitle = (one: string, other: string): number => (one < other ? -1 : 1)

/** A stack as text whose lines say one property each: what a deployment would change shows as lines that differ. */
export const templateText = ({ environment, template }: CloudFormationStackArtifact): string => {
  const { Resources, Outputs = {} } = template as Template
  const resources = Object.entries(Resources).map(([id, { Type, Properties, ...rest }]) => {
    const { Metadata: _, ...attributes } = rest
    return section(`${Type} ${id}`, { ...(Properties as object), ...attributes })
  })
  const outputs = Object.keys(Outputs).length === 0 ? [] : [section("Outputs", Outputs)]
  const parts = [`region ${environment.region}`, ...resources.toSorted(byTitle), ...outputs]
  return `${parts.join("\n\n")}\n`.replaceAll(DIGEST, "<digest>").replaceAll(VERSION, "$1<digest>")
}
