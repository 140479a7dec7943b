/** What each function's code may weigh, in kibibytes, minified, maps not counted. Raise one only with a reason. */
export const BUDGET_KIB = {
  read: 198,
  manage: 1920,
  outcomes: 740,
  advance: 680,
  relay: 320,
  notify: 450,
  backup: 900,
  router: 350,
  migrate: 140,
} as const

/** And of it what a start loads before anybody asks anything: what a cold start waits for. */
export const FIRST_LOAD_KIB = {
  read: 182,
  manage: 500,
  outcomes: 730,
  advance: 680,
  relay: 312,
  notify: 210,
  backup: 900,
  router: 350,
  migrate: 140,
} as const
