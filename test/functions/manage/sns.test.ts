import SnsPayloadValidator from "sns-payload-validator"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeCertificate } from "./certificate.ts"
import { openChecksums } from "./checksums.ts"
import { alarm, CERTIFICATE_URL, type Envelope, signed, TOPIC } from "./sns.ts"
import { createWorld, must, type World } from "./world.ts"

interface Taken {
  applied: string | null
  verdict: string | null
  state: string | null
  words: string
  code: string
}
interface Change {
  changeId: string
  state: string
  reason: string | null
  paused: boolean
  signal: { source: string; summary: string } | null
}

const certificate = makeCertificate(new Date())
const confirmed: string[] = []
const fetched: string[] = []

let world: World
beforeAll(async () => {
  world = await createWorld({
    sns: {
      certificate: async (url) => {
        fetched.push(url)
        return url === CERTIFICATE_URL ? certificate.pem : null
      },
      confirm: async (url) => void confirmed.push(url),
    },
  })
  await world.tenant("acme")
  const path = "/api/v1/tenants/acme/environments/QA/policy"
  await must(world.call("PUT", path, { body: { snsTopics: [TOPIC] } }), 200)
})
afterAll(() => world.close())

const HOLDING = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }
const rollOut = async (environment = "QA") => {
  const edits = [{ key: "k", value: world.platform.ids.uuid() }]
  const body = { tenantId: "acme", environment, edits, strategy: HOLDING }
  const made = await must(world.call<Change>("POST", "/api/v1/changes", { body }), 202)
  expect(made.body.state).toBe("rolling_out")
  return made.body.changeId
}
const end = async (changeId: string) => await world.call("POST", `/api/v1/changes/${changeId}/abort`)
const read = async (changeId: string) =>
  (await must(world.call<Change>("GET", `/api/v1/changes/${changeId}`), 200)).body
const ofChange = (changeId: string) => `/api/v1/changes/${changeId}/signals`
const OF_QA = "/api/v1/tenants/acme/environments/QA/signals"
const nowMs = () => world.platform.clock.nowMs()
/** As SNS sends it: without a token, and as text. */
const post = (path: string, envelope: unknown) =>
  world.call<Taken>("POST", path, {
    token: null,
    body: envelope,
    headers: { "content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification" },
  })
const FIRING = { source: "a watch", status: "firing", summary: "errors at 7 %" }

describe("a message that Amazon SNS has signed", () => {
  test.each(["1", "2"])("rolls back what rolls out, with signatures of version %s", async (version) => {
    const changeId = await rollOut()
    const envelope = signed(certificate.key, nowMs(), { SignatureVersion: version })
    const { body } = await must(post(OF_QA, envelope), 200)
    expect(body).toMatchObject({ applied: changeId, verdict: "unhealthy", state: "rolled_back" })
    const change = await read(changeId)
    expect(change.signal).toEqual({
      at: expect.any(String),
      source: "CloudWatch",
      summary: "checkout errors: Threshold Crossed: 3 datapoints were over 5.0",
    })
    const audit = await world.call<{ items: { action: string; actor: { subject: string } }[] }>(
      "GET",
      "/api/v1/audit?tenantId=acme&action=change.rolled_back&limit=1",
    )
    expect(audit.body.items[0]!.actor.subject).toBe(TOPIC)
  })

  test("counts once, and again gets the same answer", async () => {
    const envelope = signed(certificate.key, nowMs())
    const first = await rollOut()
    const answer = await must(post(OF_QA, envelope), 200)
    const second = await rollOut()
    expect((await must(post(OF_QA, envelope), 200)).body).toEqual(answer.body)
    expect(answer.body.applied).toBe(first)
    expect((await read(second)).state).toBe("rolling_out")
    await end(second)
  })

  test("counts once at each place that is subscribed to the topic", async () => {
    const path = "/api/v1/tenants/acme/environments/Staging"
    await must(world.call("PUT", `${path}/policy`, { body: { snsTopics: [TOPIC] } }), 200)
    const changeIds = [await rollOut(), await rollOut("Staging")]
    const envelope = signed(certificate.key, nowMs())
    const taken = [await post(OF_QA, envelope), await post(`${path}/signals`, envelope)]
    expect(taken.map(({ body }) => body.applied)).toEqual(changeIds)
    await must(world.call("DELETE", `${path}/policy`), 200)
  })

  test("is heard whatever characters somebody put into the alarm's name", async () => {
    const Message = JSON.stringify({ AlarmName: "a\u0000b\ud800", NewStateValue: "ALARM" })
    const changeId = await rollOut()
    await must(post(OF_QA, signed(certificate.key, nowMs(), { Message })), 200)
    expect((await read(changeId)).signal?.summary).toBe("ab\ufffd")
  })

  test("that all is well, or not known, alters nothing", async () => {
    const changeId = await rollOut()
    for (const state of ["OK", "INSUFFICIENT_DATA"]) {
      const envelope = signed(certificate.key, nowMs(), { Message: alarm(state), Subject: undefined })
      expect((await must(post(ofChange(changeId), envelope), 202)).body).toMatchObject({
        applied: null,
        verdict: "healthy",
      })
    }
    expect((await read(changeId)).state).toBe("rolling_out")
    const other = signed(certificate.key, nowMs(), { Message: "hello" })
    expect((await must(post(OF_QA, other), 400)).body.code).toBe("SIGNAL_INVALID")
    await end(changeId)
  })

  test("confirms a subscription by visiting where it says, if that is SNS, and ends one quietly", async () => {
    const url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    const asked = (SubscribeURL: string) =>
      signed(certificate.key, nowMs(), {
        Type: "SubscriptionConfirmation",
        Message: "You have chosen to subscribe",
        Token: "t",
        Subject: undefined,
        SubscribeURL,
      })
    expect((await must(post(OF_QA, asked(url)), 202)).body.words).toContain("confirmed")
    expect(confirmed).toEqual([url])
    for (const elsewhere of [
      "https://sns.eu-central-1.amazonaws.com.evil.example/?Action=ConfirmSubscription",
      "http://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
      "https://169.254.169.254/?Action=ConfirmSubscription",
      "https://sns.eu-central-1.amazonaws.com/?Action=Publish",
    ])
      expect((await must(post(OF_QA, asked(elsewhere)), 403)).body.code).toBe("SIGNATURE_INVALID")
    const bye = { ...asked(url), Type: "UnsubscribeConfirmation" }
    const resigned = signed(certificate.key, nowMs(), { ...bye, Signature: undefined })
    expect((await must(post(OF_QA, resigned), 202)).body.words).toContain("has ended")
    expect(confirmed).toEqual([url])
  })

  const other = makeCertificate(new Date())
  const expired = makeCertificate(new Date(Date.now() - 90 * 86_400_000))
  const good = (fields: Envelope = {}) => signed(certificate.key, nowMs(), fields)
  const HOUR = 3_600_000
  test.each<[string, string, () => unknown]>([
    ["altered", "SIGNATURE_INVALID", () => ({ ...good(), Message: alarm("OK") })],
    ["given another id", "SIGNATURE_INVALID", () => ({ ...good(), MessageId: "another" })],
    ["signed with another key", "SIGNATURE_INVALID", () => signed(other.key, nowMs())],
    [
      "signed as version 1 and called version 2",
      "SIGNATURE_INVALID",
      () => ({ ...good(), SignatureVersion: "2" }),
    ],
    ["of a version that there is not", "SIGNATURE_INVALID", () => ({ ...good(), SignatureVersion: "3" })],
    ["without a signature", "SIGNATURE_INVALID", () => ({ ...good(), Signature: undefined })],
    ["with an empty signature", "SIGNATURE_INVALID", () => ({ ...good(), Signature: "" })],
    ["more than an hour old", "SIGNATURE_INVALID", () => signed(certificate.key, nowMs() - HOUR - 1)],
    ["from the future", "SIGNATURE_INVALID", () => signed(certificate.key, nowMs() + HOUR + 1)],
    ["without a time", "SIGNATURE_INVALID", () => good({ Timestamp: undefined })],
    ["of a topic that the policy does not name", "TOPIC_UNKNOWN", () => good({ TopicArn: `${TOPIC}2` })],
    ...[
      "http://sns.eu-central-1.amazonaws.com/x.pem",
      "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem",
      "https://evil.example/sns.eu-central-1.amazonaws.com/x.pem",
      "https://user@sns.eu-central-1.amazonaws.com/x.pem",
      "https://sns.eu-central-1.amazonaws.com:8443/x.pem",
      "https://sns.eu-central-1.amazonaws.com/folder/x.pem",
      "https://sns.eu-central-1.amazonaws.com/x.txt",
      "https://s3.eu-central-1.amazonaws.com/x.pem",
      "https://169.254.169.254/x.pem",
      "file:///etc/x.pem",
    ].map((SigningCertURL): [string, string, () => unknown] => [
      `with its certificate at ${SigningCertURL}`,
      "SIGNATURE_INVALID",
      () => good({ SigningCertURL }),
    ]),
  ])("is refused when it is %s: %s, and alters nothing", async (_what, code, envelope) => {
    const changeId = await rollOut()
    const sums = openChecksums(world.url("postgres"))
    try {
      const before = await sums.read()
      fetched.length = 0
      for (const path of [OF_QA, ofChange(changeId)]) {
        const { body } = await must(post(path, envelope()), 403)
        expect(body.code).toBe(code)
      }
      expect(fetched.every((url) => url === CERTIFICATE_URL)).toBe(true)
      expect(await sums.read()).toEqual(before)
    } finally {
      await sums.close()
      await end(changeId)
    }
  })

  test("is refused with a certificate that has run out, or is none", async () => {
    const { sns } = world.platform
    const { certificate: certified } = sns
    for (const pem of [expired.pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", null]) {
      sns.certificate = async () => pem
      const { body } = await must(post(OF_QA, signed(expired.key, nowMs())), 403)
      expect(body.code).toBe("SIGNATURE_INVALID")
    }
    sns.certificate = certified
  })

  test("is what another's check of SNS messages takes for one too", async () => {
    const validator = new SnsPayloadValidator()
    ;(validator as unknown as { certCache: Map<string, string> }).certCache.set(
      CERTIFICATE_URL,
      certificate.pem,
    )
    for (const SignatureVersion of ["1", "2"]) await validator.validate(good({ SignatureVersion }) as never)
    await expect(validator.validate({ ...good(), Message: "other" } as never)).rejects.toThrow()
  })
})

describe("whoever shows neither a token nor a signature learns nothing", () => {
  const NOWHERE = `acme:chg_${"0".repeat(32)}`
  const PLACES = () => [
    ofChange(NOWHERE),
    ofChange(`nobody:chg_${"0".repeat(32)}`),
    ofChange("nonsense"),
    "/api/v1/tenants/nobody/environments/QA/signals",
    "/api/v1/tenants/acme/environments/Nowhere/signals",
    "/api/v1/tenants/acme/environments/Staging/signals",
  ]

  test("a change that is there is answered as one that is not", async () => {
    const changeId = await rollOut()
    const forged = { ...signed(certificate.key, nowMs()), Message: "{}" }
    const unknown = signed(certificate.key, nowMs(), { TopicArn: `${TOPIC}2` })
    for (const body of [FIRING, "nonsense", forged, unknown]) {
      const told = ({ status, body: problem }: { status: number; body: object }) =>
        JSON.stringify([status, { ...problem, instance: undefined }])
      const there = told(await post(ofChange(changeId), body))
      expect(["401", "403"]).toContain(there.slice(1, 4))
      for (const place of PLACES()) expect(told(await post(place, body))).toBe(there)
    }
    await end(changeId)
  })

  test("a topic that one place allows opens no other", async () => {
    for (const place of PLACES()) {
      const { body } = await must(post(place, signed(certificate.key, nowMs())), 403)
      expect(body.code).toBe("TOPIC_UNKNOWN")
    }
  })
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
