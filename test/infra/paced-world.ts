import type { Pacer } from "../../functions/platform/pacer.ts"
import { must } from "../functions/manage/world.ts"
import { createGateWorld } from "../functions/outcomes/world.ts"
import { type Execution, type StepFunctions, startStepFunctions } from "./step-functions.ts"

export interface Change {
  changeId: string
  state: string
  reason: string | null
  step: number | null
}

/** What the audit tells of a change of two steps that nobody stood in the way of. */
export const TO_LIVE = ["change.submit", "change.start", "change.advance", "change.live"]

/** No fault at all. */
const whole = (): StepFunctions["faults"] => ({ before: async () => {}, fails: () => false })

/** The functions and the state machine that paces what they do, over one database and one clock. */
export const createPacedWorld = async (definition: object) => {
  let machines: StepFunctions
  const pacer: Pacer = {
    begin: (changeId) => machines.pacer.begin(changeId),
    moved: (changeId) => machines.pacer.moved(changeId),
  }
  const world = await createGateWorld({ pacer })
  machines = await startStepFunctions(definition, world)

  const read = async (changeId: string): Promise<Change> =>
    (await must(world.call<Change>("GET", `/api/v1/changes/${changeId}`), 200)).body
  const act = async (changeId: string, name: string, body: object = {}) => {
    await must(world.call("POST", `/api/v1/changes/${changeId}/${name}`, { body }), 200)
    await machines.rest()
  }

  /** What the audit says has happened to a change, first things first. */
  const history = async (changeId: string): Promise<string[]> => {
    const tenantId = changeId.split(":")[0]
    const path = `/api/v1/audit?tenantId=${tenantId}&target=${changeId}`
    const { items } = (await must(world.call<{ items: { action: string }[] }>("GET", path), 200)).body
    return items.map(({ action }) => action).reverse()
  }

  const onlyExecution = (changeId: string): Execution => {
    const [execution, ...others] = machines.of(changeId)
    if (!execution || others.length > 0) throw new Error(`${others.length + 1} executions`)
    return execution
  }

  /** A canary in QA, which asks nobody, of two steps of a minute; what paces it waits for the first to end. */
  const canary = async (tenantId: string) => {
    const rollout = await world.canary(tenantId)
    await machines.rest()
    return { ...rollout, execution: onlyExecution(rollout.changeId) }
  }

  /** A change to Production, which asks an engineer, a manager and compliance; what paces it waits for them. */
  const owed = async (tenantId: string) => {
    const { tokens, issue } = await world.tenant(tenantId)
    const body = { tenantId, environment: "Production", edits: [{ key: "k", value: 1 }] }
    const { tenant_admin: token } = tokens
    const submitted = await must(world.call<Change>("POST", "/api/v1/changes", { token, body }), 202)
    const { changeId } = submitted.body
    await machines.rest()
    const approve = async (by: string) => {
      await must(world.call("POST", `/api/v1/approvals/${changeId}/approve`, { token: by, body: {} }), 200)
    }
    const approvers = [await issue("another-engineer", ["engineer"]), tokens.manager, tokens.compliance]
    return { changeId, tokens, approve, approvers, execution: onlyExecution(changeId) }
  }

  return {
    ...world,
    machines,
    read,
    act,
    history,
    onlyExecution,
    canary,
    owed,
    heal: () => Object.assign(machines.faults, whole()),
    close: async () => {
      await machines.close()
      await world.close()
    },
  }
}
