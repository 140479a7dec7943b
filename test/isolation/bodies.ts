import { DEFAULT_TEMPLATE } from "../../core/provisioning/template.ts"
import { TENANTS } from "./cases.ts"
import { SHARED_PERSON, sentinelOf } from "./filling.ts"
import { backupOf, changeOf, configOf, type Names } from "./names.ts"

/** A body; `serial` makes what it names new. */
export type BodyFill = (others: Names, own: Names, serial: number) => unknown

const change =
  (more: (others: Names, own: Names, serial: number) => Record<string, unknown>): BodyFill =>
  (others, own, serial) => ({
    tenantId: own.slug,
    environment: "Development",
    comment: sentinelOf(own.slug),
    ...more(others, own, serial),
  })
const edits = (serial: number) => ({ edits: [{ key: `probe.${serial}`, value: 1 }] })

/** Bodies that name another tenant in every place there is. */
const changeBodies: readonly BodyFill[] = [
  ...TENANTS.map((tenant) =>
    change((others, own, serial) => ({ ...edits(serial), tenantId: tenant(others, own) })),
  ),
  change((others, _, serial) => ({ ...edits(serial), replaces: changeOf(others, 6) })),
  change((others, own, serial) => ({
    ...edits(serial),
    replaces: changeOf({ ...others, slug: own.slug }, 6),
  })),
  change(({ slug }, _, serial) => ({
    ...edits(serial),
    strategy: { type: "rolling", waves: [{ tenants: [slug] }, { weightBp: 10_000 }] },
  })),
  change(({ key }) => ({ promote: { from: "Development", keys: [key] }, environment: "QA" })),
  change(({ slug }) => ({ promote: { from: `${slug}:Development` }, environment: "QA" })),
  change(({ key }) => ({ edits: [{ key, restores: 1 }] })),
  change(({ key }) => ({ edits: [{ key, delete: true }] })),
  change(({ slug, key }) => ({
    edits: [{ key: configOf({ slug } as Names, "Development", key), value: 1 }],
  })),
]
const comments: readonly BodyFill[] = [(_others, own) => ({ comment: sentinelOf(own.slug) }), () => ({})]

/** Whoever is named in a context, it is the token that says which tenant's flags there are. */
const contexts: readonly BodyFill[] = [
  () => ({ context: { targetingKey: "somebody" } }),
  ...TENANTS.map(
    (tenant): BodyFill =>
      (others, own) => {
        const named = tenant(others, own)
        return { tenantId: named, context: { targetingKey: "somebody", tenantId: named, tenant: named } }
      },
  ),
]

const rules: readonly BodyFill[] = [
  () => ({ rules: [{ id: "probe", description: "probe", require: { "!": [{ var: "limit" }] } }] }),
  ({ slug }) => ({ rules: [], tenantId: slug }),
]

/** For every operation with a body, what it is sent. One that is not here has no case, and that is a failure. */
export const BODIES: Readonly<Record<string, readonly BodyFill[]>> = {
  createBackup: [() => ({}), ({ slug }) => ({ tenantId: slug })],
  validateBackup: [() => ({})],
  cancelJob: [() => ({})],
  setBackupSchedule: [() => ({ everyHours: 24 }), ({ slug }) => ({ everyHours: 24, tenantId: slug })],
  startDrill: [() => ({}), ({ slug }) => ({ tenantId: slug })],
  // Only told what it would do: a change of the asker's own would be another answer the second time.
  restoreBackup: [
    () => ({ dryRun: true }),
    ...TENANTS.map(
      (tenant): BodyFill =>
        (others, own) => ({ targetTenantId: tenant(others, own), dryRun: true }),
    ),
    () => ({ asOf: "2001-01-01T00:00:00Z", dryRun: true }),
    ({ slug }) => ({ environments: [`${slug}:Production`], dryRun: true }),
  ],
  restoreTenant: [
    () => ({ asOf: "2001-01-01T00:00:00Z", dryRun: true }),
    ({ slug }) => ({ asOf: "2001-01-01T00:00:00Z", tenantId: slug }),
  ],
  cloneTenant: TENANTS.map((tenant) => (others, own) => ({
    tenantId: tenant(others, own),
    dryRun: true,
  })),
  migrateTenant: [
    () => ({ from: "Development", to: "QA", dryRun: true }),
    // Refused, as what was asked for stands in the job.
    ({ key }) => ({ from: "Nowhere", to: "QA", keys: [key], dryRun: true }),
    ({ slug }) => ({ from: `${slug}:Development`, to: "QA" }),
    ({ slug }) => ({ target: { receivingKey: "", name: slug } }),
  ],
  beginImport: [(others) => ({ manifest: btoa(backupOf(others)) })],
  sendImportPart: [() => ({ bytes: "" })],
  completeImport: [() => ({})],
  adoptBackups: [
    () => ({}),
    ...TENANTS.map(
      (tenant): BodyFill =>
        (others, own) => ({ tenantId: tenant(others, own) }),
    ),
  ],
  holdBackup: [() => ({ held: true }), () => ({ held: false })],
  ofrepEvaluateFlags: contexts,
  ofrepEvaluateFlag: contexts,
  createTenant: TENANTS.map((tenant) => (others, own) => ({
    name: "another",
    tenantId: tenant(others, own),
  })),
  updateTenant: [
    (_others, own) => ({ displayName: sentinelOf(own.slug) }),
    ({ slug }) => ({ tenantId: slug, displayName: "taken over" }),
  ],
  issueToken: [
    (_others, own) => ({ subject: `probe.${sentinelOf(own.slug)}`, roles: ["viewer"] }),
    // Refused, so that no row of the asker's own holds another's name afterwards.
    ({ subject }) => ({ subject, roles: ["viewer"], environment: "Nowhere" }),
    ({ slug }) => ({ subject: "s", roles: ["viewer"], tenants: [slug] }),
  ],
  issuePlatformToken: TENANTS.map((tenant) => (others, own) => ({
    subject: "s",
    roles: ["reader"],
    tenants: [tenant(others, own)],
    environment: "Production",
  })),
  createConfig: [
    ...TENANTS.map(
      (tenant): BodyFill =>
        (others, own, serial) => ({
          tenantId: tenant(others, own),
          environment: "Development",
          key: `made.${serial}`,
          value: sentinelOf(own.slug),
        }),
    ),
    (others, own) => ({
      tenantId: own.slug,
      environment: "Development",
      key: configOf(others, "Development", "limit"),
      value: 1,
    }),
  ],
  editConfig: [
    (_others, own) => ({ value: sentinelOf(own.slug) }),
    ({ slug }) => ({ value: 1, tenantId: slug }),
  ],
  // Refused wherever they are sent, so that no row of the asker's own holds another's name afterwards.
  setFlag: [
    ({ key }) => ({ enabled: true, prerequisites: [{ flag: key, variants: ["on"] }] }),
    ({ slug }) => ({ enabled: "yes", tenantId: slug }),
  ],
  evaluateFlag: [() => ({ context: { targetingKey: "somebody" } }), ({ slug }) => ({ tenantId: slug })],
  explainFlag: [() => ({ context: { targetingKey: "somebody" } }), ({ slug }) => ({ tenantId: slug })],
  rollBackConfig: [() => ({ toVersion: 1 }), () => ({ toVersion: 2 })],
  promoteConfig: [() => ({ targetEnvironment: "QA" }), ({ slug }) => ({ targetEnvironment: `${slug}:QA` })],
  submitChange: changeBodies,
  previewChange: [
    ...changeBodies,
    change(({ subject }, _, serial) => ({ ...edits(serial), contexts: [{ targetingKey: subject }] })),
  ],
  cancelChange: comments,
  rollBackChange: comments,
  breakGlass: comments,
  reviewChange: comments,
  pauseChange: comments,
  resumeChange: comments,
  advanceChange: [() => ({}), () => ({ step: 0 })],
  abortChange: comments,
  commentOnChange: [
    (_others, own) => ({ comment: sentinelOf(own.slug) }),
    (_others, own) => ({ text: sentinelOf(own.slug) }),
  ],
  approveChange: [...comments, ({ contentHash }) => ({ contentHash })],
  rejectChange: comments,
  withdrawApproval: comments,
  signalChange: [() => ({ source: "probe", status: "resolved", summary: "well" })],
  signalEnvironment: [
    () => ({ source: "probe", status: "resolved", summary: "well" }),
    ({ slug, changes }) => ({
      source: "probe",
      status: "firing",
      summary: `of ${slug}`,
      labels: { changeId: `${slug}:chg_${changes[5]}`, tenant: slug },
    }),
  ],
  setPolicy: [() => ({ stages: 1 }), ({ slug }) => ({ tenantId: slug })],
  setRules: rules,
  checkRules: rules,
  rollBackEnvironment: [({ release }) => ({ toRelease: release }), () => ({ asOf: "2001-01-01T00:00:00Z" })],
  setAuditRetention: [() => ({ days: 365 }), ({ slug }) => ({ days: 365, tenantId: slug })],
  rotateKeys: [() => ({}), ({ slug }) => ({ tenantId: slug })],
  // Refused where it is another's, so that no row of the asker's own holds the name afterwards.
  erasePerson: [
    () => ({ subject: SHARED_PERSON }),
    ({ subject }) => ({ subject, alsoKnownAs: [""] }),
    ({ slug }) => ({ subject: SHARED_PERSON, tenantId: slug }),
  ],
  exportPerson: [
    () => ({ subject: SHARED_PERSON }),
    ({ subject }) => ({ subject, alsoKnownAs: [""] }),
    ({ slug }) => ({ subject: SHARED_PERSON, tenantId: slug }),
  ],
  reviewAccess: [
    (_others, own) => ({
      from: "2001-01-01T00:00:00Z",
      to: "2001-02-01T00:00:00Z",
      comment: sentinelOf(own.slug),
    }),
    ({ slug }) => ({ from: "2001-01-01T00:00:00Z", to: "2001-02-01T00:00:00Z", tenantId: slug }),
  ],
  verifyAudit: TENANTS.map((tenant) => (others, own) => ({ tenantId: tenant(others, own) })),
  createChannel: [
    () => ({ type: "webhook", url: "nowhere" }),
    ({ slug }) => ({ type: "webhook", url: "nowhere", tenantId: slug }),
  ],
  putChannel: [() => ({ url: "nowhere" })],
  putDeployments: [
    () => ({ metrics: { targets: [{ url: "nowhere" }] } }),
    ({ slug }) => ({ logs: { targets: [{ url: "https://10.0.0.1" }], namespace: slug } }),
  ],
  checkDeployments: [() => ({})],
  planProvisioning: [() => ({ backends: ["metrics"] })],
  applyProvisioning: [() => ({ backends: ["metrics"] }), ({ slug }) => ({ backends: [], tenantId: slug })],
  confirmProvisioning: [() => ({})],
  retryProvisioning: [() => ({})],
  cancelProvisioning: [() => ({ leaveBehind: true })],
  retireProvisioning: [() => ({})],
  putProvisioningTemplate: [
    ({ slug }) => ({ ...DEFAULT_TEMPLATE, address: `https://{name}.${slug}.example` }),
  ],
  sendToBackend: [() => ({}), ({ slug }) => ({ tenantId: slug })],
  reload: [
    ...TENANTS.map(
      (tenant): BodyFill =>
        (others, own) => ({ tenantId: tenant(others, own), type: "tenant_config" }),
    ),
    () => ({ type: "feature_flag" }),
  ],
  // More than a limit ever lets through: nothing is counted, so that no answer hangs on when it was asked for.
  checkLimit: [() => ({ amount: 1_000_000 })],
  consumeLimit: [() => ({ amount: 1_000_000 }), ({ slug }) => ({ amount: 1_000_000, tenantId: slug })],
  remindApprovers: [() => ({})],
  testChannel: [() => ({})],
  retryDelivery: [() => ({})],
  reportOutcomes: [
    () => ({ reports: [{ revision: "0.0.0.1", arm: "stable", instance: "i", seq: 1, ok: 1, errors: 0 }] }),
    ({ slug }) => ({
      reports: [{ revision: "0.0.0.99999", arm: "candidate", instance: slug, seq: 1, ok: 1, errors: 0 }],
    }),
    ({ slug }) => ({ tenantId: slug, reports: [] }),
  ],
  recordEvents: [
    ...TENANTS.map(
      (tenant): BodyFill =>
        (others, own) => ({
          events: [
            { tenantId: own.slug, type: "error", data: { type: "probe" } },
            { tenantId: tenant(others, own), type: "error", data: { type: "probe" } },
          ],
        }),
    ),
    ({ slug }) => ({ events: [{ tenantId: slug, type: "user_login", data: { userId: "somebody" } }] }),
  ],
}
