import { expect, test } from "vitest"
import { type Aws, complaintsOfKeys } from "../../ci/worker-key.ts"

const NOW = Date.UTC(2026, 10, 22)
const daysAgo = (days: number): string => new Date(NOW - days * 86_400_000).toISOString()

interface Kept {
  /** By its number in `edgeKeys`; none where somebody made it by hand. */
  number?: number
  madeDaysAgo: number
  usedDaysAgo?: number
  status?: "Active" | "Inactive"
}

/** As much of AWS as may be asked: who asks for anything else, for a secret above all, is refused. */
const awsWith = (...keys: Kept[]): Aws => {
  const idOf = (key: Kept) => `AKIA${keys.indexOf(key)}`
  const user = {
    LogicalResourceId: "EdgeUserAFD65366",
    PhysicalResourceId: "the-edge",
    ResourceType: "AWS::IAM::User",
  }
  const resources = keys.flatMap((key) =>
    key.number === undefined
      ? []
      : [
          {
            LogicalResourceId: `EdgeKey${key.number}4A9ACD68`,
            PhysicalResourceId: idOf(key),
            ResourceType: "AWS::IAM::AccessKey",
          },
        ],
  )
  const answers: Record<string, unknown> = {
    "cloudformation list-stack-resources --stack-name Hotswap-prod": {
      StackResourceSummaries: [user, ...resources],
    },
    "iam list-access-keys --user-name the-edge": {
      AccessKeyMetadata: keys.map((key) => ({
        AccessKeyId: idOf(key),
        Status: key.status ?? "Active",
        CreateDate: daysAgo(key.madeDaysAgo),
      })),
    },
  }
  for (const key of keys)
    answers[`iam get-access-key-last-used --access-key-id ${idOf(key)}`] = {
      AccessKeyLastUsed:
        key.usedDaysAgo === undefined
          ? { ServiceName: "N/A", Region: "N/A" }
          : { ServiceName: "lambda", Region: "eu-central-1", LastUsedDate: daysAgo(key.usedDaysAgo) },
    }
  return async (...command) => {
    const answer = answers[command.join(" ")]
    if (answer === undefined) throw new Error(`AccessDenied: ${command.join(" ")}`)
    return answer as Record<string, unknown>
  }
}

const HOW = "docs/deploy-worker.md#renewing-its-key"
const complaints = (...keys: Kept[]) => complaintsOfKeys(awsWith(...keys), "prod", NOW)

test("a key in use is well for ninety days, and is then to be renewed", async () => {
  expect(await complaints({ number: 1, madeDaysAgo: 90, usedDaysAgo: 0 })).toEqual([])
  expect(await complaints({ number: 12, madeDaysAgo: 91, usedDaysAgo: 0 })).toEqual([
    `key 12 of the Worker is 91 days old, 90 are allowed: renew it, ${HOW}`,
  ])
})

test("while it is being renewed nobody is bothered; the next day it is told which step was left out", async () => {
  const old: Kept = { number: 1, madeDaysAgo: 80, usedDaysAgo: 0.1 }
  expect(await complaints(old, { number: 2, madeDaysAgo: 0.9 })).toEqual([])
  const notUploaded = [`the Worker does not sign with key 2, made 2 days ago: upload it, ${HOW}`]
  expect(await complaints(old, { number: 2, madeDaysAgo: 2 })).toEqual(notUploaded)
  expect(await complaints(old, { number: 2, madeDaysAgo: 2, usedDaysAgo: 1 })).toEqual(notUploaded)
  expect(await complaints({ number: 2, madeDaysAgo: 2 })).toEqual(notUploaded)
  expect(
    await complaints({ ...old, usedDaysAgo: 1.5 }, { number: 2, madeDaysAgo: 2, usedDaysAgo: 0 }),
  ).toEqual([`key 1 is there, and the Worker signs with 2: take it away, ${HOW}`])
  expect(await complaints({ number: 2, madeDaysAgo: 2, usedDaysAgo: 0 })).toEqual([])
})

test("a key that no deployment made, one that is switched off, and none at all are told", async () => {
  const own: Kept = { number: 1, madeDaysAgo: 3, usedDaysAgo: 0 }
  expect(await complaints(own, { madeDaysAgo: 100 })).toEqual([
    "the Worker's user has a key that no deployment made: find out who has it, and delete it",
  ])
  expect(await complaints({ ...own, status: "Inactive" })).toEqual([
    "key 1 of the Worker is switched off: readers get what was last known",
  ])
  expect(await complaints()).toEqual(["the Worker's user has no key of the deployment: deploy again"])
})
