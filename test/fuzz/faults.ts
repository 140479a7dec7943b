import type { Chance } from "./chance.ts"

type Node = { holder: Record<string, unknown> | unknown[]; name: string | number; value: unknown }

const nodesOf = (value: unknown, found: Node[] = []): Node[] => {
  if (typeof value !== "object" || value === null) return found
  for (const [name, inner] of Object.entries(value)) {
    found.push({
      holder: value as Node["holder"],
      name: Array.isArray(value) ? Number(name) : name,
      value: inner,
    })
    nodesOf(inner, found)
  }
  return found
}

const objectsIn = (value: unknown): Record<string, unknown>[] => {
  const inner = nodesOf(value)
    .map(({ value: each }) => each)
    .filter(
      (each): each is Record<string, unknown> =>
        typeof each === "object" && each !== null && !Array.isArray(each),
    )
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? [value as Record<string, unknown>, ...inner]
    : inner
}

/** Stands for text that JSON.stringify would not write. */
const raw = (text: string): string => `\u2402${Buffer.from(text).toString("hex")}\u2402`
const RAW = /"\u2402([0-9a-f]*)\u2402"/g
const written = (value: unknown): string =>
  JSON.stringify(value).replaceAll(RAW, (_, hex: string) => Buffer.from(hex, "hex").toString())

export const NAUGHTY: readonly string[] = [
  "",
  " ",
  ".",
  "..",
  "../../etc/passwd",
  "~",
  "~platform",
  "~tier.Pro",
  "*",
  "%",
  "%00",
  "null",
  "undefined",
  "NaN",
  "-1",
  "0",
  "1e9",
  "99999999999999999999",
  "0x10",
  "true",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "' or 1=1 --",
  "';drop table hotswap.tenants;--",
  "\\",
  '"',
  "{}",
  "[]",
  "<script>alert(1)</script>",
  `\${7*7}`,
  "{{7*7}}",
  "\u0007",
  "\u0085",
  "\u200b",
  "\u202e",
  "\ufeff",
  "\uffff",
  "ﬀ",
  "İ",
  "ı",
  "ẞ",
  "🏳️‍🌈",
  "e\u0301".repeat(100),
  "a".repeat(201),
  "a".repeat(64),
  "2026-02-30T00:00:00Z",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:60Z",
  "+275760-09-13T00:00:00.000Z",
  "2026-01-01",
  "acme:QA:k:more",
  `acme:chg_${"0".repeat(32)}`,
  `acme:tok_${"0".repeat(32)}`,
  `W/"1"`,
  "a=b=c",
  "arn:aws:sns:x",
]

const OTHERS: readonly unknown[] = [null, true, 0, -1, 1.5, 2 ** 53, 1e308, "", "x", [], {}, [[]], { a: {} }]
const NUMBERS: readonly string[] = [
  "-0",
  "1e400",
  "1e-400",
  "9007199254740993",
  "0.1000000000000000055511151231257827",
  "01",
  "+1",
  ".5",
  "1.",
  "0x10",
  "NaN",
  "Infinity",
  "1_000",
]
const STRINGS: readonly string[] = [
  '"\\u0000"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '"\\x41"',
  '"a\nb"',
  '"\\u00"',
  "'single'",
  '"\\ud83d\\ude00"',
]

const set = ({ holder, name }: Node, value: unknown): void => {
  // An own member, also when it is called __proto__.
  Object.defineProperty(holder, name, { value, enumerable: true, writable: true, configurable: true })
}

const deep = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`

type Fault = (body: unknown, chance: Chance) => string | Uint8Array | null

const atSomeNode =
  (alter: (node: Node, chance: Chance) => boolean): Fault =>
  (body, chance) => {
    const nodes = nodesOf(body)
    if (nodes.length === 0 || !alter(chance.one(nodes), chance)) return null
    return written(body)
  }

const replacedBy = (value: (chance: Chance) => unknown): Fault =>
  atSomeNode((node, chance) => {
    set(node, value(chance))
    return true
  })

/** One thing wrong with a body, by its name. `null` where it has no such place. */
const FAULTS: Readonly<Record<string, Fault>> = {
  type: replacedBy((chance) => chance.one(OTHERS)),
  null: replacedBy(() => null),
  bound: atSomeNode((node, chance) => {
    if (typeof node.value === "number")
      set(node, chance.one([-1, 0, node.value + 0.5, 2 ** 31, 2 ** 53 - 1, 1e300, -1e300]))
    else if (typeof node.value === "string") set(node, chance.one(["", "x".repeat(201), "y".repeat(2_001)]))
    else if (Array.isArray(node.value)) set(node, chance.of(0.5) ? [] : Array(1_001).fill(node.value[0] ?? 1))
    else return false
    return true
  }),
  enum: atSomeNode((node, chance) => {
    if (typeof node.value !== "string") return false
    set(
      node,
      chance.one([
        `${node.value}x`,
        node.value.toUpperCase(),
        ` ${node.value}`,
        `${node.value}\u0000`.trimEnd(),
      ]),
    )
    return true
  }),
  word: replacedBy((chance) => chance.one(NAUGHTY)),
  number: replacedBy((chance) => raw(chance.one(NUMBERS))),
  string: replacedBy((chance) => raw(chance.one(STRINGS))),
  missing: (body, chance) => {
    const objects = objectsIn(body).filter((object) => Object.keys(object).length > 0)
    if (objects.length === 0) return null
    const object = chance.one(objects)
    delete object[chance.one(Object.keys(object))]
    return written(body)
  },
  extra: (body, chance) => {
    const objects = objectsIn(body)
    if (objects.length === 0) return null
    const name = chance.one(["surplus", "__proto__", "constructor", "prototype", "id", "state", "", "toJSON"])
    set({ holder: chance.one(objects), name, value: null }, chance.one<unknown>([1, null, {}, "x"]))
    return written(body)
  },
  deep: (body, chance) => {
    const nodes = nodesOf(body)
    if (nodes.length === 0) return deep(chance.one([63, 64, 65, 100, 20_000]))
    set(chance.one(nodes), raw(deep(chance.one([60, 64, 65, 100, 20_000]))))
    return written(body)
  },
  long: replacedBy((chance) => "x".repeat(chance.one([2_001, 20_000, 300_000]))),
  duplicate: (body, chance) => {
    const text = written(body)
    const [first] =
      typeof body === "object" && body !== null && !Array.isArray(body) ? Object.entries(body) : []
    if (first === undefined) return '{"a":1,"a":2}'
    const member = `${JSON.stringify(first[0])}:${written(chance.of(0.5) ? first[1] : null)}`
    return `${text.slice(0, -1)},${member}}`
  },
  text: (body, chance) => {
    const text = written(body)
    return chance.one([
      text.slice(0, -1),
      text.slice(0, chance.below(text.length + 1)),
      `${text},`,
      `${text}${text}`,
      `\ufeff${text}`,
      `// comment\n${text}`,
      text.replace("}", ",}"),
      text.replaceAll('"', "'"),
      "null",
      "[]",
      '"x"',
      "1",
      "{}",
      " ",
      "undefined",
      "\u0000",
      `${text}\u0000`,
    ])
  },
  bytes: (body, chance) => {
    const bytes = Buffer.from(written(body))
    if (chance.of(0.3)) return Buffer.from(bytes.toString("utf8"), "utf16le")
    if (chance.of(0.3)) return Buffer.concat([bytes, Buffer.from([0xc3, 0x28])])
    bytes[chance.below(bytes.length)] = chance.below(256)
    return bytes
  },
}

const FAULT_NAMES = Object.keys(FAULTS)

/** The body with one fault, and its name. */
export const faulty = (body: unknown, chance: Chance): { body: string | Uint8Array; fault: string } => {
  for (;;) {
    const fault = chance.one(FAULT_NAMES)
    const made = FAULTS[fault]!(structuredClone(body), chance)
    if (made !== null) return { body: made, fault }
  }
}
