import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import formats from "ajv-formats"
import { currentOpenapi } from "../../functions/manage/write-openapi.ts"

/** As much of JSON Schema as the document uses. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  minItems?: number
  maxItems?: number
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  oneOf?: Schema[]
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
}

export interface Parameter {
  name: string
  in: "path" | "query" | "header"
  required?: boolean
  schema: Schema
}

interface Reply {
  content?: Record<string, { schema?: Schema }>
}

interface RawOperation {
  operationId: string
  "x-action": string
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, Reply>
}

/** One route and method of the document, with what it says of answers made checkable. */
export interface Operation {
  id: string
  method: string
  path: string
  /** Of the table of permissions; `public` where nobody is asked. */
  action: string
  parameters: readonly Parameter[]
  body: Schema | null
  /** What a body that the document forbids does not pass. */
  takes: ((body: unknown) => boolean) | null
  /** Statuses that it names. */
  statuses: ReadonlySet<number>
  /** What is wrong with the JSON of such an answer; `null` for nothing. */
  wrongWith(status: number, body: unknown): string | null
  contentTypes(status: number): readonly string[]
  /** Does it leave everything as it is? */
  reads: boolean
}

export interface Document {
  operations: readonly Operation[]
  resolve(schema: Schema): Schema
  wrongWithProblem(body: unknown): string | null
}

const ID = "https://hotswap.test/openapi"
const escaped = (part: string): string => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))
const ref = (...parts: string[]): string => `${ID}#/${parts.map(escaped).join("/")}`

const REFERENCE = await currentOpenapi()

/** The document that the routes make, read as a program reads it that knows nothing else. */
export const readDocument = (): Document => {
  const raw = JSON.parse(REFERENCE) as {
    paths: Record<string, Record<string, RawOperation>>
    components: { schemas: Record<string, Schema> }
  }
  const answers = new Ajv2020({ strict: false })
  formats.default(answers)
  answers.addSchema({ $id: ID, ...raw })
  // What is a date or an address is told more strictly by the routes than a pattern can.
  const bodies = new Ajv2020({ strict: false, validateFormats: false })
  bodies.addSchema({ $id: ID, ...raw })

  const words = (check: ValidateFunction, body: unknown): string | null =>
    check(body) ? null : answers.errorsText(check.errors, { dataVar: "body" })

  const operationOf = (path: string, method: string, operation: RawOperation): Operation => {
    const at = ["paths", path, method]
    const checks = new Map<string, ValidateFunction>()
    for (const [status, { content = {} }] of Object.entries(operation.responses))
      for (const [type, { schema }] of Object.entries(content))
        if (schema && type === "application/json")
          checks.set(
            status,
            answers.compile({ $ref: ref(...at, "responses", status, "content", type, "schema") }),
          )
    const body = operation.requestBody?.content["application/json"]?.schema ?? null
    const takes =
      body && bodies.compile({ $ref: ref(...at, "requestBody", "content", "application/json", "schema") })
    const action = operation["x-action"]
    return {
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      action,
      parameters: operation.parameters ?? [],
      body,
      takes: takes && ((value) => takes(value)),
      statuses: new Set(
        Object.keys(operation.responses)
          .filter((key) => key !== "default")
          .map(Number),
      ),
      wrongWith: (status, answer) => {
        const check = checks.get(String(status))
        return check ? words(check, answer) : null
      },
      contentTypes: (status) => Object.keys(operation.responses[String(status)]?.content ?? {}),
      reads: method === "get" || action.endsWith(".read"),
    }
  }

  const problem = answers.compile({ $ref: ref("components", "schemas", "Problem") })
  return {
    operations: Object.entries(raw.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => operationOf(path, method, operation)),
    ),
    resolve: (schema) => {
      let found = schema
      while (found.$ref !== undefined) found = raw.components.schemas[found.$ref.split("/").at(-1)!]!
      return found
    },
    wrongWithProblem: (body) => words(problem, body),
  }
}
