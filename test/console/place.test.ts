import fc from "fast-check"
import { expect, test } from "vitest"
import { hrefOf, PAGES, type Place, parsePlace } from "../../console/src/place.ts"

const name = fc.string({ minLength: 1, maxLength: 30, unit: "binary" }).filter((text) => !text.includes(":"))
const places: fc.Arbitrary<Place> = fc.record({
  page: fc.constantFrom(...PAGES),
  id: fc.option(name),
  tenant: fc.option(name),
  environment: fc.option(name),
})

test("an address leads back to where it was taken", () => {
  fc.assert(
    fc.property(places, (place) => {
      expect(parsePlace(hrefOf(place))).toEqual(place)
    }),
    { seed: 7 },
  )
})

test("the link of a message leads to its change and that change's tenant", () => {
  expect(parsePlace("#/changes/acme-corp%3Achg_01")).toEqual({
    page: "changes",
    id: "acme-corp:chg_01",
    tenant: "acme-corp",
    environment: null,
  })
})

test("whatever else stands behind the # leads to the flags", () => {
  for (const hash of ["", "#", "#/", "#main", "#/nowhere/x", "#/%", "#//", "#/flags/%E0%A4%A"])
    expect(parsePlace(hash)).toEqual({ page: "flags", id: null, tenant: null, environment: null })
})
