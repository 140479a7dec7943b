import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { JobId } from "../../core/ids.ts"
import { systemClock } from "../../functions/platform/clock.ts"
import { sqsQueue } from "../../functions/platform/queue-sqs.ts"
import { startSqs } from "../support/sqs.ts"

let sqs: Awaited<ReturnType<typeof startSqs>>
beforeEach(async () => {
  sqs = await startSqs()
})
afterEach(() => sqs.stop())

const JOB = `acme-corp:job_${"0".repeat(32)}` as JobId
const queue = (changed: Partial<Parameters<typeof sqsQueue>[0]> = {}) =>
  sqsQueue({
    queueUrl: sqs.queueUrl,
    variables: sqs.variables,
    endpoint: sqs.endpoint,
    clock: systemClock,
    ...changed,
  })

describe("the queue at SQS", () => {
  test("is told which job is due and when, as exactly as it counts time and as long as it keeps anything back", async () => {
    for (const inMs of [undefined, -5, 1, 2_001, 86_400_000]) await queue().wake(JOB, inMs)
    expect(sqs.messages.map(({ body }) => JSON.parse(body))).toEqual(Array(5).fill({ jobId: JOB }))
    expect(sqs.messages.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 0, 1, 3, 900])
  })

  test("is asked again where that may help, three times, and a message is there once", async () => {
    sqs.failing.push("cut", { status: 503, name: "ServiceUnavailable" })
    await queue().wake(JOB)
    sqs.failing.push({ status: 400, name: "com.amazonaws.sqs#RequestThrottled" })
    await queue().wake(JOB)
    expect(sqs.messages).toHaveLength(2)
    sqs.failing.push(...Array(4).fill({ status: 500, name: "InternalFailure" }))
    await expect(queue().wake(JOB)).rejects.toThrow("SQS answered 500")
    expect(sqs.failing).toHaveLength(1)
  })

  test("says at once why it does not take a message that it will never take", async () => {
    const gone = queue({ queueUrl: `${sqs.queueUrl}-of-yesterday` }).wake(JOB)
    await expect(gone).rejects.toThrow("QueueDoesNotExist")
    const forged = queue({ variables: { ...sqs.variables, AWS_SECRET_ACCESS_KEY: "another" } }).wake(JOB)
    await expect(forged).rejects.toThrow(/403.*Signature/)
    expect(sqs.asked()).toBe(2)
    expect(sqs.messages).toEqual([])
  })
})
