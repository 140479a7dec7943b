import { useState } from "preact/hooks"
import { pathPart } from "../client.ts"
import { useConsole, useMay } from "../console.tsx"
import { problemOf } from "../problem.ts"
import type { Action, Change, ChangeListed, EditBody, State } from "../shapes.ts"
import { personOf } from "../words.ts"
import { Confirm } from "./dialog.tsx"
import { Review } from "./review.tsx"

interface Act {
  name: string
  verb: string
  action: Action
  states: readonly State[]
  /** What it will do, for whoever confirms it. */
  says: (change: ChangeListed | Change) => string
  /** Brings something new before readers. */
  puts?: true
  isDangerous?: true
  mustSay?: true
  /** Only then. */
  when?: (change: ChangeListed | Change) => boolean
  body?: (change: ChangeListed | Change) => object
}

const WAITING: readonly State[] = ["awaiting_approval", "scheduled"]
const approvals = (change: Pick<Change, "changeId">, name: string): string =>
  `/api/v1/approvals/${pathPart(change.changeId)}/${name}`

const ACTS: readonly Act[] = [
  {
    name: "approve",
    verb: "Approve",
    action: "change.approve",
    states: ["awaiting_approval"],
    says: () =>
      "Your approval is for exactly what is shown: should it be anything else by now, it does not count.",
    puts: true,
    body: ({ contentHash }) => ({ contentHash }),
  },
  {
    name: "reject",
    verb: "Reject",
    action: "change.approve",
    states: ["awaiting_approval"],
    says: () => "It ends here; whoever wants it files another one.",
    isDangerous: true,
  },
  {
    name: "withdraw",
    verb: "Take back my approval",
    action: "change.approve",
    states: WAITING,
    says: () => "Somebody has to agree anew.",
  },
  {
    name: "advance",
    verb: "Advance",
    action: "change.control",
    states: ["rolling_out"],
    says: ({ step, plan }) =>
      (step ?? 0) + 1 >= plan.length
        ? "Everyone gets it, for good."
        : "More readers get it now; nobody loses it.",
    puts: true,
    body: ({ step }) => ({ step }),
  },
  {
    name: "pause",
    verb: "Pause",
    action: "change.control",
    states: ["rolling_out"],
    when: ({ paused }) => !paused,
    says: () => "Who has it keeps it; nobody else gets it.",
  },
  {
    name: "resume",
    verb: "Resume",
    action: "change.control",
    states: ["rolling_out"],
    when: ({ paused }) => paused,
    says: () => "It goes on growing by itself when its hold is over and the gate agrees.",
    puts: true,
  },
  {
    name: "abort",
    verb: "Abort",
    action: "change.control",
    states: ["rolling_out"],
    says: () => "Everyone is back on stable at once.",
    isDangerous: true,
  },
  {
    name: "rollback",
    verb: "Roll back",
    action: "change.control",
    states: ["live"],
    says: () => "Everyone is back at once on what was stable before it.",
    isDangerous: true,
  },
  {
    name: "remind",
    verb: "Remind",
    action: "change.comment",
    states: ["awaiting_approval"],
    says: () => "Those whose approval is due are told once more.",
  },
  {
    name: "cancel",
    verb: "Cancel the change",
    action: "change.cancel",
    states: WAITING,
    says: () => "It ends here, before anybody has it.",
    isDangerous: true,
  },
  {
    name: "break-glass",
    verb: "Break glass",
    action: "change.break_glass",
    states: WAITING,
    says: () =>
      "It is live for everyone at once, without the approvals it owes. Somebody else reviews that afterwards.",
    puts: true,
    isDangerous: true,
    mustSay: true,
  },
  {
    name: "review",
    verb: "Review",
    action: "change.review",
    states: ["live", "rolled_back"],
    when: ({ review }) => review !== null && review.at === undefined,
    says: () => "You have looked at what went live without its approvals.",
  },
]

const APPROVING = ["approve", "reject", "withdraw"]
const SILENT = ["remind"]
const pathOf = (change: Pick<Change, "changeId">, name: string): string =>
  APPROVING.includes(name) ? approvals(change, name) : `/api/v1/changes/${pathPart(change.changeId)}/${name}`

/** Why this person's approval would not count, as far as can be told here. */
export const objectionTo = (
  change: ChangeListed | Change,
  subject: string,
  roles: readonly string[],
): string | null => {
  if (change.author === subject) return "You are its author: somebody else has to agree."
  if (change.stages.some(({ approvals }) => approvals.some((one) => one.subject === subject)))
    return "You have agreed already: it takes somebody else now."
  const due = change.stages.find(({ required, approvals }) => approvals.length < required)
  const isShared = change.tenantId.startsWith("~")
  if (due && !isShared && !roles.includes(due.role))
    return `It waits for ${personOf(due.role)}, which is none of your roles.`
  return null
}

const isOffered = (
  act: Act,
  change: ChangeListed | Change,
  subject: string,
  roles: readonly string[],
): boolean => {
  if (act.name === "approve") return objectionTo(change, subject, roles) === null
  const hasAgreed = change.stages.some(({ approvals }) => approvals.some((one) => one.subject === subject))
  if (act.name === "withdraw") return hasAgreed
  return act.when?.(change) ?? true
}

/** What may be done to a change as it is now. Each asks once more, and shows what the service says to it. */
export const Actions = ({
  change,
  only,
  onChange,
  onReload,
}: {
  change: ChangeListed | Change
  /** Just these. */
  only?: readonly string[]
  onChange: (change: Change) => void
  onReload: () => void
}) => {
  const { client, who, say } = useConsole()
  const may = useMay()
  const [act, setAct] = useState<Act | null>(null)
  const [drafted, setDrafted] = useState<{ edits: EditBody[]; why: string } | null>(null)
  const offered = ACTS.filter(
    (one) =>
      one.states.includes(change.state) &&
      (only?.includes(one.name) ?? true) &&
      may(one.action, change.environment) &&
      isOffered(one, change, who.subject, who.roles),
  )
  if (offered.length === 0) return null
  return (
    <div class="actions">
      {offered.map((one) => (
        <button
          key={one.name}
          type="button"
          class={one.name === "approve" ? "primary" : one.isDangerous ? "danger" : ""}
          onClick={() => setAct(one)}
        >
          {one.verb}
        </button>
      ))}
      {act && (
        <Confirm
          title={`${act.verb} in ${change.environment}`}
          verb={act.verb}
          environment={change.environment}
          puts={act.puts ?? false}
          isDangerous={act.isDangerous ?? false}
          mustSay={act.mustSay ?? false}
          {...(SILENT.includes(act.name) ? {} : { commentLabel: act.mustSay ? "Why" : "Comment" })}
          onClose={() => setAct(null)}
          onReload={() => {
            setAct(null)
            onReload()
          }}
          run={async ({ comment }) => {
            const body = { ...act.body?.(change), ...(comment === "" ? {} : { comment }) }
            const next = await client
              .send<Change>("POST", pathOf(change, act.name), body)
              .catch((error: unknown) => {
                const { draft, detail } = problemOf(error)
                if (!draft?.edits) throw error
                setDrafted({ edits: draft.edits, why: detail })
                return null
              })
            setAct(null)
            if (next === null) return
            say(`${act.verb}: done in ${change.environment}.`)
            onChange(next)
          }}
        >
          <p>{act.says(change)}</p>
        </Confirm>
      )}
      {drafted && (
        <Review
          title="Put it back by a change"
          environment={change.environment}
          wanted={{ edits: drafted.edits }}
          note={drafted.why}
          onClose={() => setDrafted(null)}
          onReload={() => setDrafted(null)}
          onDone={() => setDrafted(null)}
        />
      )}
    </div>
  )
}
