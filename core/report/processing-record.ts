import type { Json } from "../json.ts"
import { canonical } from "../json.ts"
import type { Table } from "./table.ts"

/** What only the operator knows; each member left out is reported as missing. */
export interface OperatorSays {
  /** Who runs the platform: name and address of the processor. */
  processor?: string
  contact?: string
  dataProtectionOfficer?: string
  representative?: string
  /** Where the data is kept: a region. */
  location?: string
  /** Whom the operator has process for it. */
  subprocessors?: readonly { name: string; purpose: string; country: string; safeguards?: string }[]
  /** To countries outside the EEA, and on what ground. An empty list: none. */
  transfers?: readonly { country: string; safeguards: string }[]
  securityMeasures?: readonly string[]
}

/** What the data itself says. */
export interface DataSays {
  tenantId: string
  name: string
  adminEmail: string | null
  subjects: number
  auditPeople: number
  comments: number
  dataKeys: number
  channels: readonly { type: string; leadsTo: string; environment: string | null }[]
  auditDays: number | null
  /** Users that events name, and how long those are kept. */
  eventUsers: number
  eventDays: number
  eraseAfterDays: number
}

/** One thing that the record of processing has to say: Article 30 of Regulation (EU) 2016/679. */
export interface ProcessingField {
  paragraph: string
  field: string
  /** `null`: not known. */
  value: Json
  source: "data" | "setting" | "design"
  /** Where it is to be supplied, if it is not known. */
  missing: string | null
}

/** The setting that {@link OperatorSays} is read from. */
const PROCESSING_SETTING = "HOTSWAP_PROCESSING"

const MEASURES: readonly string[] = [
  "Row-level security for every tenant, forced, with a role for each function",
  "Every change of configuration under approvals, and in an audit chained by hash and signed",
  "Names of people kept apart from the audit, so that they can be erased",
  "Secrets sealed with AES-256-GCM under keys of the tenant's own",
  "Tokens kept as hashes, bound to roles and environments, expiring and revocable",
  "Encryption of everything that is sent, and of what is stored",
]

const said = (
  paragraph: string,
  field: string,
  value: Json | undefined,
  member: string,
): ProcessingField => ({
  paragraph,
  field,
  value: value ?? null,
  source: "setting",
  missing: value === undefined ? `${PROCESSING_SETTING}: ${member}` : null,
})

const known = (
  paragraph: string,
  field: string,
  value: Json,
  source: "data" | "design",
  missing: string | null = null,
): ProcessingField => ({ paragraph, field, value, source, missing })

const plain = (value: unknown): Json | undefined => value as Json | undefined

const categoriesOf = (data: DataSays): Json => [
  `names of ${data.subjects} people and applications that tokens were issued to`,
  `names of ${data.auditPeople} of them in the audit, kept apart from it`,
  `${data.comments} comments on changes`,
  `ids of ${data.eventUsers} users that the tenant's applications told of: their logins, orders, payments and requests`,
  "who asked this service for what, by the day",
  ...(data.adminEmail === null ? [] : ["the e-mail address of the tenant's administrator"]),
  "no identifier of a reader is kept: what a reader is told apart by is hashed and forgotten",
]

const limitsOf = ({ auditDays, eventDays, eraseAfterDays }: DataSays): Json => ({
  audit: auditDays === null ? "until the tenant is erased" : `${auditDays} days`,
  "answers kept to be repeated": "24 hours",
  "messages to channels": "30 days, 90 if they could not be delivered",
  "events and statistics": `${eventDays} days`,
  "copies at the edge": "24 hours",
  "everything, after the tenant is deleted": `${eraseAfterDays} days`,
  "names of one person": "when that is asked for",
})

/** The record of what is processed of a tenant's, with what is missing named. */
export const processingRecord = (data: DataSays, operator: OperatorSays): ProcessingField[] => [
  known("30(1)(a)", "controller", `${data.name} (${data.tenantId})`, "data"),
  known(
    "30(1)(a)",
    "controller's contact",
    data.adminEmail,
    "data",
    data.adminEmail === null ? "adminEmail of the tenant" : null,
  ),
  said("30(2)(a)", "processor", operator.processor, "processor"),
  said("30(2)(a)", "processor's contact", operator.contact, "contact"),
  said("30(2)(a)", "data protection officer", operator.dataProtectionOfficer, "dataProtectionOfficer"),
  said("30(2)(a)", "representative", operator.representative, "representative"),
  known(
    "30(1)(b)",
    "purposes",
    [
      "configuration of the tenant's software while it runs",
      "approvals of it",
      "evidence of who changed what",
      "statistics of how the tenant's software is used, where its applications tell of it",
    ],
    "design",
  ),
  known(
    "30(1)(c)",
    "data subjects",
    ["people who work with the tenant's configuration", "users that its applications name in events"],
    "design",
  ),
  known("30(1)(c)", "categories of data", categoriesOf(data), "data"),
  known(
    "30(1)(d)",
    "recipients that the tenant named",
    data.channels.map(
      ({ type, leadsTo, environment }) => `${type} ${leadsTo} (${environment ?? "all environments"})`,
    ),
    "data",
  ),
  said("30(1)(d)", "recipients that the operator named", plain(operator.subprocessors), "subprocessors"),
  said("30(1)(e)", "where the data is", operator.location, "location"),
  said("30(1)(e)", "transfers to other countries", plain(operator.transfers), "transfers"),
  known("30(1)(f)", "time limits", limitsOf(data), "data"),
  known(
    "30(1)(g)",
    "security measures of the software",
    [...MEASURES, `${data.dataKeys} data keys in use`],
    "design",
  ),
  said("30(1)(g)", "security measures of the operator", plain(operator.securityMeasures), "securityMeasures"),
]

const cellOf = (value: Json): string =>
  typeof value === "string"
    ? value
    : Array.isArray(value) && value.every((item) => typeof item === "string")
      ? value.join("; ")
      : value === null
        ? ""
        : canonical(value)

export const PROCESSING_TABLE: Table<ProcessingField> = {
  columns: ["paragraph", "what", "is", "known from", "to be supplied in"],
  rowsOf: ({ paragraph, field, value, source, missing }) => [
    [paragraph, field, cellOf(value), source, missing ?? ""],
  ],
}
