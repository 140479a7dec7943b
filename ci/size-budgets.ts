/** What each function's code may weigh, in kibibytes, minified, maps not counted. Raise one only with a reason. */
export const BUDGET_KIB = {
  read: 206,
  manage: 1970,
  outcomes: 772,
  advance: 684,
  relay: 344,
  notify: 450,
  backup: 900,
  router: 388,
  migrate: 140,
} as const

/** And of it what a start loads before anybody asks anything: what a cold start waits for. */
export const FIRST_LOAD_KIB = {
  read: 190,
  manage: 508,
  outcomes: 760,
  advance: 684,
  relay: 332,
  notify: 210,
  backup: 900,
  router: 354,
  migrate: 140,
} as const

/** What a browser loads of the console, once for as long as it stays what it is: minified, not compressed. */
export const CONSOLE_KIB = 180
