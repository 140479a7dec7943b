import type { CloudFormationStackArtifact } from "aws-cdk-lib/cx-api"
import { textOf } from "./allowed.ts"

/** Of code, or of migrations: another with every commit, and no part of the shape. */
const DIGEST = /[0-9a-f]{64}/g
/** A version of a function is named by its code and settings. */
const VERSION = /(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g

const REFERENCES = ["Ref", "Fn::GetAtt", "Fn::Join"]

/** Names in order, which among names means nothing, and references as text. */
const readable = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(readable)
  const [first = "", ...more] = Object.keys(value)
  if (more.length === 0 && REFERENCES.includes(first)) return textOf(value)
  const entries = Object.entries(value).map(([name, each]) => [name, readable(each)] as const)
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

interface Template {
  Resources: Record<string, Record<string, unknown>>
  Outputs?: Record<string, unknown>
}

/** What is a document itself, such as a state machine's, is shown as one. */
const parsed = (value: unknown): unknown => {
  if (typeof value !== "string" || !value.startsWith('{"')) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

const LINE = 100

const written = (value: unknown): string => {
  const shown = parsed(readable(value))
  const line = JSON.stringify(shown)
  return line.length <= LINE ? line : JSON.stringify(shown, null, 2).replaceAll("\n", "\n  ")
}

const section = (title: string, of: Record<string, unknown>): string =>
  [title, ...Object.entries(of).map(([name, value]) => `  ${name}: ${written(value)}`)].join("\n")

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
