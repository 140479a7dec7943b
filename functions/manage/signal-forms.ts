import { z } from "@hono/zod-openapi"
import type { RaiseSignal } from "../../core/change/command.ts"
import { Refusal } from "../../core/errors.ts"
import { faultsOf } from "../http/validate.ts"
import { AnyJson, text } from "./shapes.ts"

/** What an alarm said, whoever raised it. */
export type Raised = Pick<RaiseSignal, "verdict" | "source" | "summary">

const SUMMARY_MAX = 500
const SOURCE_MAX = 100

const cut = (words: string, max: number): string => [...words].slice(0, max).join("")
/** No alarm is lost over a character that cannot be kept. */
const keepable = (words: string): string => words.replaceAll("\0", "").toWellFormed()

const Generic = z.strictObject({
  source: text(SOURCE_MAX).min(1).openapi({ description: "Which system says so" }),
  status: z
    .enum(["firing", "resolved", "warning"])
    .openapi({ description: "firing: roll back; warning: hold; resolved: nothing" }),
  summary: text(SUMMARY_MAX).min(1),
})

const ALERTS_MAX = 1_000
const Alert = z.looseObject({
  status: z.enum(["firing", "resolved"]),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
})
/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
const Alertmanager = z.looseObject({
  version: z.literal("4"),
  alerts: z.array(Alert).min(1).max(ALERTS_MAX),
})

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html */
const CloudWatchAlarm = z.looseObject({
  AlarmName: z.string(),
  NewStateValue: z.enum(["OK", "ALARM", "INSUFFICIENT_DATA"]),
  NewStateReason: z.string().default(""),
})

const VERDICTS = { firing: "unhealthy", resolved: "healthy", warning: "hold" } as const

/** What only asks for attention does not roll anything back. */
const MILD = new Set(["warning", "info", "informational"])

const nameOf = ({ labels, annotations }: z.output<typeof Alert>): string =>
  annotations.summary ?? annotations.description ?? labels.alertname ?? "an alert without a name"

const fromAlertmanager = ({ alerts }: z.output<typeof Alertmanager>): Raised => {
  const firing = alerts.filter(({ status }) => status === "firing")
  const grave = firing.filter(({ labels }) => !MILD.has((labels.severity ?? "").toLowerCase()))
  const told = grave.length > 0 ? grave : firing.length > 0 ? firing : alerts
  const more = told.length > 1 ? ` (and ${told.length - 1} more)` : ""
  return {
    verdict: grave.length > 0 ? "unhealthy" : firing.length > 0 ? "hold" : "healthy",
    source: "Alertmanager",
    summary: `${cut(nameOf(told[0]!), SUMMARY_MAX - more.length)}${more}`,
  }
}

const ERRORS_MAX = 20

/** Where a label is called what zod would leave out without a word. */
const unreadable = (value: unknown, path = ""): string | null => {
  if (typeof value !== "object" || value === null) return null
  for (const [name, member] of Object.entries(value)) {
    const at = `${path}/${name}`
    const found = name === "__proto__" ? at : unreadable(member, at)
    if (found) return found
  }
  return null
}

const read = <Form extends z.ZodType>(form: Form, value: unknown, detail: string): z.output<Form> => {
  const lost = unreadable(value)
  if (lost)
    throw new Refusal("SIGNAL_INVALID", detail, {
      errors: [{ path: lost, message: "There is no such field." }],
    })
  const result = form.safeParse(value)
  if (result.success) return result.data
  const errors = faultsOf(result.error, form, value, "body").slice(0, ERRORS_MAX)
  throw new Refusal("SIGNAL_INVALID", detail, { errors })
}

/** What a body says, in our own form or Alertmanager's. Throws SIGNAL_INVALID. */
export const raisedBy = (body: Record<string, unknown>): Raised => {
  if (Object.hasOwn(body, "alerts"))
    return fromAlertmanager(read(Alertmanager, body, "It is not a webhook of Alertmanager, version 4."))
  const { source, status, summary } = read(Generic, body, "It is not {source, status, summary}.")
  return { verdict: VERDICTS[status], source, summary }
}

const parsed = (message: string): unknown => {
  try {
    return JSON.parse(message)
  } catch {
    return null
  }
}

/** What the text of a notification says: an alarm of CloudWatch. Throws SIGNAL_INVALID. */
export const raisedByAlarm = (message: string): Raised => {
  const { AlarmName, NewStateValue, NewStateReason } = read(
    CloudWatchAlarm,
    parsed(message),
    "Its Message is not an alarm of CloudWatch.",
  )
  return {
    verdict: NewStateValue === "ALARM" ? "unhealthy" : "healthy",
    source: "CloudWatch",
    summary: keepable(
      cut(NewStateReason === "" ? AlarmName : `${AlarmName}: ${NewStateReason}`, SUMMARY_MAX),
    ),
  }
}

const forms = [Generic, Alertmanager].map((form) => {
  const { $schema: _, ...schema } = z.toJSONSchema(form, { io: "input" })
  return schema
})

/** Which of the forms it is, and what is wrong with it, is told in our own words: here they are only described. */
export const SignalBody = z.record(z.string(), AnyJson).openapi("Signal", {
  type: "object",
  anyOf: forms,
  description:
    "{source, status, summary}; a webhook of Alertmanager, version 4; or, without a token, a message that Amazon SNS has signed, with an alarm of CloudWatch in it",
} as never)

export const SignalShown = z
  .object({
    applied: z
      .string()
      .nullable()
      .openapi({ description: "The change it was applied to; null: nothing was altered" }),
    verdict: z.enum(["unhealthy", "hold", "healthy"]).nullable(),
    state: z.string().nullable().openapi({ description: "Of that change, now" }),
    words: z.string().openapi({ description: "What was done" }),
  })
  .openapi("SignalTaken")
