/**
 * What each function's code may weigh, in kibibytes, minified: what a cold start has to load. Raise one only with a
 * reason.
 */
export const BUDGET_KIB = {
  read: 184,
  manage: 1860,
  outcomes: 730,
  advance: 680,
  relay: 310,
  notify: 450,
  backup: 900,
  migrate: 140,
} as const
