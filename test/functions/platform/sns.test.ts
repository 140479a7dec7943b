import { expect, test } from "vitest"
import { createSns, isSnsUrl } from "../../../functions/platform/sns.ts"

const URL_OF_ONE = "https://sns.eu-central-1.amazonaws.com/one.pem"

/** A fetch that answers with these, one after the other, and keeps what it was asked. */
const scripted = (...answers: ({ ok: boolean; text: string } | Error)[]) => {
  const asked: { url: string; redirect: string }[] = []
  const fetcher = async (url: string, { redirect }: { redirect: "error"; signal: AbortSignal }) => {
    asked.push({ url, redirect })
    const answer = answers.shift()!
    if (answer instanceof Error) throw answer
    return { ok: answer.ok, text: async () => answer.text }
  }
  return { asked, sns: createSns(fetcher) }
}

test("a certificate is fetched once, by one at a time, and follows no redirect", async () => {
  const { asked, sns } = scripted({ ok: true, text: "pem" })
  expect(await Promise.all([sns.certificate(URL_OF_ONE), sns.certificate(URL_OF_ONE)])).toEqual([
    "pem",
    "pem",
  ])
  expect(await sns.certificate(URL_OF_ONE)).toBe("pem")
  expect(asked).toEqual([{ url: URL_OF_ONE, redirect: "error" }])
})

test("what is no certificate, or could not be reached, is asked for again", async () => {
  const { sns } = scripted(
    { ok: false, text: "gone" },
    { ok: true, text: "x".repeat(20_000) },
    new TypeError("fetch failed"),
    { ok: true, text: "pem" },
  )
  expect(await sns.certificate(URL_OF_ONE)).toBeNull()
  expect(await sns.certificate(URL_OF_ONE)).toBeNull()
  await expect(sns.certificate(URL_OF_ONE)).rejects.toMatchObject({ code: "ORIGIN_UNAVAILABLE" })
  expect(await sns.certificate(URL_OF_ONE)).toBe("pem")
})

test("a subscription that SNS does not confirm is no success: SNS is to send it again", async () => {
  const { sns } = scripted({ ok: false, text: "" }, { ok: true, text: "" })
  await expect(sns.confirm(URL_OF_ONE)).rejects.toMatchObject({ code: "ORIGIN_UNAVAILABLE" })
  await sns.confirm(URL_OF_ONE)
})

test.each([
  ["https://sns.us-gov-west-1.amazonaws.com/x.pem", true],
  ["https://sns.cn-north-1.amazonaws.com.cn/x.pem", true],
  ["https://sns.amazonaws.com/x.pem", false],
  ["https://xsns.eu-central-1.amazonaws.com/x.pem", false],
  ["https://sns.eu-central-1.amazonaws.com.cn.evil.example/x.pem", false],
  ["nonsense", false],
])("%s is a URL of SNS: %s", (url, isOne) => {
  expect(isSnsUrl(url)).toBe(isOne)
})
