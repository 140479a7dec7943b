import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { afterEach, describe, expect, test } from "vitest"
import { blocksOf, judgeAddress } from "../../../functions/platform/addresses.ts"
import { createOutbound, NotReached, UrlRefused } from "../../../functions/platform/outbound.ts"
import type { Resolve } from "../../../functions/platform/resolve.ts"
import { selfSigned } from "../../support/certificate.ts"
import { startReceiver } from "./receivers.ts"

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const receiver = async (...tls: Parameters<typeof startReceiver>) => {
  const started = await startReceiver(...tls)
  stops.push(started.stop)
  return started
}

const LOOPBACK = blocksOf(["127.0.0.0/8"])
const POST = { headers: {}, body: "{}", deadlineMs: 5_000 }

const posted = (url: string, allowed = LOOPBACK, resolve?: Resolve, deadlineMs = POST.deadlineMs) =>
  createOutbound({ allowed, ...(resolve ? { resolve } : {}) }).post({ ...POST, url, deadlineMs })

const failureOf = async (work: Promise<unknown>): Promise<Error> => {
  const failed = await work.then(
    () => null,
    (error: Error) => error,
  )
  if (failed === null) throw new Error("it was sent")
  return failed
}

describe("an address", () => {
  test.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "::ffff:0:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1.1.1.1",
    "2002:7f00:1::1",
    "2002:101:101::1",
    "2001:0:101:101::1",
    "2001:db8::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
    "5f00::1",
    "localhost",
    "",
  ])("%s is none of the public internet", (address) => {
    expect(judgeAddress(address, [])).toBe("forbidden")
  })

  test.each(["1.1.1.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::1111"])("%s is", (address) => {
    expect(judgeAddress(address, [])).toBe("public")
  })

  test("is allowed when the operator's blocks hold it, in whatever form it comes", () => {
    const allowed = blocksOf(["10.0.0.0/8", "fd00::/8"])
    for (const address of ["10.9.9.9", "::ffff:10.9.9.9", "64:ff9b::a09:909", "fd12::1"])
      expect(judgeAddress(address, allowed), address).toBe("allowed")
    expect(judgeAddress("11.0.0.1", allowed)).toBe("public")
    expect(judgeAddress("172.16.0.1", allowed)).toBe("forbidden")
  })
})

describe("a URL", () => {
  test.each([
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/",
  ])("%s leads to no public address, and nothing is sent", async (url) => {
    const failed = await failureOf(posted(url, []))
    expect(failed).toMatchObject({ name: "UrlRefused", because: "address" })
  })

  test.each([
    ["http://1.1.1.1/", /https/],
    ["ftp://1.1.1.1/", /https/],
    ["file:///etc/passwd", /https/],
    ["nonsense", /https/],
    ["https://user:password@1.1.1.1/", /user or password/],
    ["https://1.1.1.1:22/", /port/],
    ["https://1.1.1.1:5432/", /port/],
  ])("%s is refused for what it says itself", async (url, words) => {
    const outbound = createOutbound({ allowed: [] })
    const failed = await failureOf(outbound.check(url))
    expect(failed).toBeInstanceOf(UrlRefused)
    expect(failed).toMatchObject({ because: "url", message: expect.stringMatching(words) })
    expect(await failureOf(posted(url, []))).toMatchObject({ because: "url" })
  })

  test("on a usual port of a public address may be sent to", async () => {
    const outbound = createOutbound({ allowed: [], resolve: async () => ["1.1.1.1", "2606:4700::1111"] })
    for (const port of ["", ":443", ":80", ":8443", ":8080"])
      await expect(outbound.check(`https://hooks.example.com${port}/in`)).resolves.toBeUndefined()
  })

  test("whose name has one address that is not public is refused, whatever the others are", async () => {
    const resolve = async () => ["1.1.1.1", "10.0.0.1"]
    expect(await failureOf(posted("https://hooks.example.com/", [], resolve))).toMatchObject({
      because: "address",
    })
  })

  test("whose name does not resolve may do so another time", async () => {
    const resolve = () => Promise.reject(new Error("ENOTFOUND"))
    expect(await failureOf(posted("https://hooks.example.com/", [], resolve))).toBeInstanceOf(NotReached)
    expect(await failureOf(posted("https://hooks.example.com/", [], async () => []))).toBeInstanceOf(
      NotReached,
    )
  })
})

describe("a message", () => {
  test("goes to the very address that was judged: a name that leads elsewhere a moment later leads nowhere", async () => {
    const inside = await receiver()
    const other = blocksOf(["127.0.0.2/32"])
    const answers = [["127.0.0.2"], ["127.0.0.1"]]
    const asked: string[] = []
    const resolve = async (name: string) => {
      asked.push(name)
      return answers.shift() ?? ["127.0.0.1"]
    }
    const url = `http://rebinding.example:${inside.port}/`
    expect(await failureOf(posted(url, other, resolve))).toMatchObject({
      name: "NotReached",
      message: expect.stringContaining("does not accept connections"),
    })
    expect(asked).toEqual(["rebinding.example"])
    // And asked again, it is judged again.
    expect(await failureOf(posted(url, other, resolve))).toMatchObject({ because: "address" })
    expect(inside.received).toEqual([])
  })

  test("names the host it was meant for, to TLS and to the server, and the certificate must be that host's", async () => {
    const before = getCACertificates("default")
    stops.push(() => setDefaultCACertificates(before))
    const tls = selfSigned(["hooks.example.test"])
    const server = await receiver(tls)
    const resolve = async () => ["127.0.0.1"]
    const url = `https://hooks.example.test:${server.port}/in?a=b`
    expect(await failureOf(posted(url, LOOPBACK, resolve))).toMatchObject({
      message: expect.stringContaining("DEPTH_ZERO_SELF_SIGNED_CERT"),
    })
    setDefaultCACertificates([...before, tls.cert])
    expect(await posted(url, LOOPBACK, resolve)).toMatchObject({ status: 204 })
    expect(server.received).toMatchObject([
      {
        path: "/in?a=b",
        servername: "hooks.example.test",
        headers: { host: `hooks.example.test:${server.port}` },
      },
    ])
    const other = `https://other.example.test:${server.port}/`
    expect(await failureOf(posted(other, LOOPBACK, resolve))).toMatchObject({
      message: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID"),
    })
    expect(server.received).toHaveLength(1)
  })

  test("follows no redirect", async () => {
    const inside = await receiver()
    const server = await receiver()
    server.answer = (response) => void response.writeHead(307, { location: inside.url }).end()
    expect(await posted(server.url)).toMatchObject({ status: 307 })
    expect(inside.received).toEqual([])
  })

  test("is answered for by the head: of a body that goes on for ever 64 KiB are read", async () => {
    const server = await receiver()
    const closed = Promise.withResolvers<void>()
    let poured = 0
    server.answer = (response) => {
      response.writeHead(200)
      const pour = () => {
        do poured += 16_384
        while (!response.destroyed && response.write("x".repeat(16_384)))
      }
      response.on("drain", pour).on("close", () => closed.resolve())
      pour()
    }
    const reply = await posted(server.url)
    expect(reply).toMatchObject({ status: 200 })
    expect(reply.body).toHaveLength(65_536)
    await closed.promise
    // What is on its way at that moment is lost; it is some buffers full, not what a deadline's time would bring.
    expect(poured).toBeLessThan(32 * 1024 * 1024)
  })

  test("waits for no longer than its deadline: for a name, for a head; and a head without an end is enough", async () => {
    const server = await receiver()
    server.answer = () => {}
    expect(await failureOf(posted(server.url, LOOPBACK, undefined, 50))).toMatchObject({
      name: "NotReached",
      message: expect.stringContaining("in time"),
    })
    const never = () => new Promise<never>(() => {})
    expect(await failureOf(posted("https://slow.example/", [], never, 20))).toMatchObject({
      message: expect.stringContaining("in time"),
    })
    server.answer = (response) => void response.writeHead(200).flushHeaders()
    expect(await posted(server.url, LOOPBACK, undefined, 500)).toMatchObject({ status: 200, body: "" })
  })

  test("that is not answered says why, in words", async () => {
    const server = await receiver()
    server.answer = (response) => void response.destroy()
    expect((await failureOf(posted(server.url))).message).toMatch(/closed the connection/)
    const { url } = server
    await server.stop()
    stops.length = 0
    expect((await failureOf(posted(url))).message).toMatch(/does not accept connections/)
  })
})
