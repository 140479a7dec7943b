import { sha256Hex } from "../../core/hash.ts"
import { openapiText } from "../../functions/manage/openapi.ts"
import { keptFaults } from "./kept.ts"
import { type Operation, operationsOf, placesIn, type Recipe, recipesOf } from "./matrix.ts"
import { missingFor, type Names, spellings } from "./names.ts"
import { type Identity, type Scene, WHOSE, type Whose } from "./scene.ts"
import { DIMENSIONS, emptyTally, type Tally } from "./tally.ts"
import { createFinder } from "./words.ts"
import type { Got, Sent } from "./worker.ts"

const CALL = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** What was made just now has new ids, and is one version further. */
const MADE =
  /hs_[a-z]+_[\w-]+|hsr_[\w.-]+|(chg|tok|job|bkp)_[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{64}|(?<=(version|Version|generation|seq|rev|etag: "|"revision":")\W{0,3})\d[\d.]*/g
const AGES = /^(hotswap-age|age|hotswap-request-id|date): .*$/gm

/** The answer with all that was sent, and what names this one call, taken out. */
const masked = (got: Got, atoms: readonly string[], isRead: boolean): string => {
  let text = `${got.status}\n${got.headers.replace(AGES, "")}\n${got.text}\n${got.logged}`
  for (const [index, atom] of atoms.entries()) if (atom !== "") text = text.replaceAll(atom, `§${index}§`)
  text = text
    .replace(CALL, "§call§")
    .replace(/(made|probe)\.\d+/g, "#")
    .replace(/^retry: \d+/m, "#")
    // A ticket says until when it is good; a tag hashes what was sent, with the names in it.
    .replace(/(?<=ticket=)[\w.-]+|(?<=etag: W\/")[0-9a-f]{32}(\.\d{10})?(?=")/g, "#")
  return !isRead && got.status < 300 ? text.replace(MADE, "#") : text
}

const difference = (text: string, other: string): string => {
  let at = 0
  while (at < text.length && text[at] === other[at]) at++
  return `…${text.slice(Math.max(0, at - 60), at + 120)}… ≠ …${other.slice(Math.max(0, at - 60), at + 120)}…`
}

interface Probe {
  recipe: Recipe
  identity: Identity
  whose: Whose
}

const NAMED: Readonly<Record<Whose, readonly string[]>> = {
  active: ["birch", "alder"],
  suspended: ["dunes"],
  deleted: ["elder"],
}

/** The sample takes some of everything: of each place of each operation at least what one gets who may do something there. */
const alwaysFor = ({ id }: Operation, places: readonly string[]): string => {
  if (["readTenantConfigs", "streamRevisions", "reportOutcomes"].includes(id) || id.startsWith("ofrep"))
    return "alder reader"
  // Such a key is its subject's: of one who is called the same elsewhere.
  return places.includes("header idempotency-key") ? "alder build" : "alder all"
}

/** Each call makes the next one's answer another: it says who asked, or how much there was left to erase. */
const TELLS_OF_ITSELF: readonly string[] = [
  "erasePerson",
  "exportAudit",
  "exportPerson",
  "gdprReport",
  "soc2Report",
  "hipaaReport",
]

/** Alike for every run, and spread over all that stands beside each other. */
const scattered = (nth: number, which: number, whose: number): number => {
  const mixed = Math.imul(nth * 64 + which * 4 + whose + 1, 0x9e37_79b1)
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
}

export type Probes = Awaited<ReturnType<typeof createProbes>>

/** The whole matrix over a scene, to be run or sampled. */
export const createProbes = async (scene: Scene) => {
  const { worker, identities, names } = scene
  const reference = openapiText(await worker.routes())
  const operations = operationsOf(JSON.parse(reference))
  const recipes = operations.flatMap(recipesOf)
  const find = await createFinder(scene, reference)
  const seen = new Set<string>()
  let serial = 100_000

  const foreignTo = ({ identity: { home }, whose }: Probe): Names | null => {
    const slug = NAMED[whose].find((name) => name !== home)
    return slug === undefined ? null : names[slug]!
  }

  /** Both in either order, so that neither is always the one for which something is remembered already. */
  const askBoth = async (
    foreign: Sent,
    missing: Sent,
    isTurned: boolean,
  ): Promise<[Got, Got, [number, number]]> => {
    const timed = async (sent: Sent): Promise<[Got, number]> => {
      const begin = performance.now()
      return [await worker.ask(sent), performance.now() - begin]
    }
    const first = await timed(isTurned ? missing : foreign)
    const second = await timed(isTurned ? foreign : missing)
    const [one, other] = isTurned ? [second, first] : [first, second]
    return [one[0], other[0], [one[1], other[1]]]
  }

  const count = (
    { counts }: Tally,
    { recipe, identity, whose }: Probe,
    { method, door }: Sent,
    status: number,
    places: readonly string[],
  ) => {
    const kinds = {
      operation: recipe.operation.id,
      place: places.length === 0 ? "none" : places.join(" + "),
      identity: identity.name,
      whose,
      method,
      door,
      status: String(status),
    }
    for (const name of DIMENSIONS) counts[name][kinds[name]] = (counts[name][kinds[name]] ?? 0) + 1
  }

  /** What is wrong with an answer by itself. */
  const faultsOf = (got: Got, { identity }: Probe, sent: Sent): string[] => {
    const said = `${JSON.stringify(sent)} ${decoded(sent.path)}`
    const words = find(`${got.headers}\n${got.text}\n${got.logged}`, identity.sees, said)
    return [
      ...(words.length > 0 ? [`${got.status} shows ${words.slice(0, 3).join(", ")}`] : []),
      ...(got.status >= 500 ? [`${got.status} ${got.text}`] : []),
    ]
  }

  /**
   * One request with foreign names, and the same with names that nothing has: the answers must be the same. Where there is no
   * place for a name, one that must not show anybody's.
   */
  const ask = async (probe: Probe, tally: Tally): Promise<void> => {
    const { recipe, identity } = probe
    const foreign = foreignTo(probe)
    if (foreign === null) return
    const own = names[identity.home]!
    const missing = missingFor(foreign)
    const make = (others: Names) => recipe.sent(others, own, identity.token, ++serial)
    const keyOf = (sent: Sent) => sha256Hex(JSON.stringify(sent).replaceAll(/(made|probe)\.\d+/g, "#"))
    const [sent, other] = [make(foreign), make(missing)]
    const keys = [keyOf(sent), keyOf(other)]
    if (keys.some((key) => seen.has(key))) return
    for (const key of keys) seen.add(key)
    const told = `${identity.name}: ${sent.method} ${sent.path} ${JSON.stringify({ ...sent.headers, authorization: "" })} ${sent.body ?? ""} →`
    if (keys[0] === keys[1]) {
      const got = await worker.ask(sent)
      tally.probes++
      count(tally, probe, sent, got.status, [])
      tally.leaks.push(...faultsOf(got, probe, sent).map((fault) => `${told} ${fault}`))
      return
    }
    const [got, gotOther, times] = await askBoth(sent, other, tally.pairs % 2 === 1)
    tally.probes += 2
    tally.pairs++
    tally.times.push(times)
    count(
      tally,
      probe,
      sent,
      got.status,
      placesIn({ ...sent, body: blank(sent.body) }, { ...other, body: blank(other.body) }),
    )
    tally.leaks.push(...faultsOf(got, probe, sent).map((fault) => `${told} ${fault}`))
    // Whoever reads for all tenants may know which ones there are.
    if (identity.sees === "*") return
    if (TELLS_OF_ITSELF.includes(recipe.operation.id) && got.status < 300 && gotOther.status < 300) return
    const isRead = sent.method === "GET" || sent.method === "HEAD"
    const [one, two] = [masked(got, spellings(foreign), isRead), masked(gotOther, spellings(missing), isRead)]
    if (one !== two) tally.leaks.push(`${told} told apart: ${difference(one, two)}`)
  }

  /** That share of everything, and some of each place of each operation. */
  const chosen = (share: number, only: readonly string[] | undefined): Probe[] => {
    const probes: Probe[] = []
    const strata = new Set<string>()
    for (const [nth, recipe] of recipes.entries()) {
      if (only !== undefined && !only.includes(recipe.operation.id)) continue
      const sample = [names.birch!, missingFor(names.birch!)].map((others) =>
        recipe.sent(others, names.alder!, "", 1),
      )
      const places = placesIn(sample[0]!, sample[1]!)
      const stratum = `${recipe.operation.id} ${recipe.door} ${sample[0]!.method} ${places}`
      const isNew = !strata.has(stratum)
      strata.add(stratum)
      for (const [which, identity] of identities.entries())
        for (const [index, whose] of WHOSE.entries())
          if (
            scattered(nth, which, index) < share ||
            (isNew && index === 0 && identity.name === alwaysFor(recipe.operation, places))
          )
            probes.push({ recipe, identity, whose })
    }
    return probes
  }

  return {
    operations,
    recipes,
    size: recipes.length * identities.length * WHOSE.length,
    kept: () => keptFaults(scene, find),
    /** Home by home: meanwhile nobody may alter the rows of any other scope. */
    run: async (share: number, only?: readonly string[]): Promise<Tally> => {
      const tally = emptyTally()
      const probes = chosen(share, only)
      const scopes = [...Object.keys(names), "~platform", "~tier.Enterprise"]
      for (const home of new Set(identities.map((identity) => identity.home))) {
        const others = scopes.filter((scope) => scope !== home)
        const before = await Promise.all(others.map(scene.rowsOf))
        for (const probe of probes) if (probe.identity.home === home) await ask(probe, tally)
        const after = await Promise.all(others.map(scene.rowsOf))
        for (const [nth, scope] of others.entries())
          if (before[nth] !== after[nth])
            tally.leaks.push(`those of ${home} altered ${scope}: ${difference(before[nth]!, after[nth]!)}`)
      }
      return tally
    },
  }
}

const blank = (body: string | null): string | null => body?.replaceAll(/(made|probe)\.\d+/g, "#") ?? null

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
