import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import postgres from "postgres"

/** Where something could have been left, by name: as text, or as bytes read as Latin-1. */
export type Places = Map<string, string>

/** Of each of the three ways in which the text may stand in Base64, what is the same whatever stands around it. */
const base64Forms = (text: string): string[] =>
  [0, 1, 2].flatMap((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)])
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3))
    const inner = whole.toString("base64").slice(shift === 0 ? 0 : 4)
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")]
  })

/** What the text would look like, as it is, encoded, or as a hash without a key that guesses could be held against. */
export const formsOf = (text: string): string[] => {
  const hex = Buffer.from(text).toString("hex")
  const hashes = [text, JSON.stringify(text)].flatMap((input) => {
    const hash = createHash("sha256").update(input)
    return [hash.copy().digest("hex"), hash.digest("base64")]
  })
  const wide = Buffer.from(text, "utf16le").toString("latin1")
  return [text, hex, hex.toUpperCase(), ...base64Forms(text), ...hashes, wide, [...text].reverse().join("")]
}

/** Names of the places where any of the forms stands. */
export const foundIn = (places: Places, text: string): string[] => {
  const forms = formsOf(text)
  return [...places].flatMap(([name, content]) =>
    forms.some((form) => content.includes(form)) ? [name] : [],
  )
}

/** Every row of every table there is, migrations' too, as text: bytes are in hexadecimal. */
export const dumpDatabase = async (url: string): Promise<Places> => {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') order by 1`
    const places: Places = new Map()
    for (const { name } of tables) {
      const rows = await sql.unsafe(`select t::text as row from ${name} t`)
      places.set(`table ${name}`, rows.map(({ row }) => String(row)).join("\n"))
    }
    return places
  } finally {
    await sql.end()
  }
}

/** Every key of a Redis that speaks Upstash's protocol, with what is under it. */
export const dumpRedis = async ({ url, token }: { url: string; token: string }): Promise<Places> => {
  const run = async (...command: string[]): Promise<unknown> => {
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(command),
    })
    return ((await response.json()) as { result: unknown }).result
  }
  const readers: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => run("GET", key),
    hash: (key) => run("HGETALL", key),
    list: (key) => run("LRANGE", key, "0", "-1"),
    set: (key) => run("SMEMBERS", key),
    zset: (key) => run("ZRANGE", key, "0", "-1"),
    // Gone since the keys were listed, as what waited to be counted may be.
    none: async () => null,
  }
  const texts: string[] = []
  for (const key of (await run("KEYS", "*")) as string[]) {
    const type = String(await run("TYPE", key))
    texts.push(`${key} ${JSON.stringify(await readers[type]!(key))}`)
  }
  return new Map([["Redis", texts.join("\n")]])
}

/** Every file below a folder, its name with it. */
export const dumpFiles = (directory: string): Places => {
  const texts: string[] = []
  const visit = (path: string): void => {
    for (const name of readdirSync(path)) {
      const inner = join(path, name)
      const kind = statSync(inner, { throwIfNoEntry: false })
      if (kind?.isDirectory()) visit(inner)
      else if (kind?.isFile()) texts.push(`${inner}\n${readFileSync(inner, "latin1")}`)
    }
  }
  visit(directory)
  return new Map([["files", texts.join("\n")]])
}
