/** How much worse than stable the candidate is supposed to be: many times, or only half as bad again. */
const ALTERNATIVES = [1.5, 2, 4, 10, 50] as const

/** Errors that can be compared with one another, and which share of them chance would give the candidate. */
export interface Stratum {
  candidateErrors: number
  errors: number
  /** From 0 to 1. */
  share: number
}

/**
 * The logarithm of how many times likelier these errors are if the candidate is worse than stable than if it
 * is not: the average of the likelihood ratios over {@link ALTERNATIVES}.
 *
 * If both arms fail alike, an error is the candidate's with the probability p that is its share of the requests;
 * if it fails r times as often, with r·p / (1 + (r − 1)·p). Given E errors, C of them the candidate's, the ratio is
 * therefore r^C / (1 + (r − 1)·p)^E: the conditional test of two Poisson rates given exposure (Przyborowski and
 * Wilenski 1940). It does not matter how often anything fails, so what befalls both arms, a burst or an outage,
 * cancels out. Averaged over r it stays a martingale of mean 1 while the candidate is good, so the chance that it
 * ever reaches 1/α, however often one looks, is at most α (Ville 1939; the mixture is that of Robbins 1970,
 * "Statistical methods related to the law of the iterated logarithm"). Summed and averaged as logarithms: it can
 * neither overflow nor vanish.
 */
export const logLikelihoodRatio = (strata: readonly Stratum[]): number => {
  const logs = ALTERNATIVES.map((r) =>
    strata.reduce(
      (sum, { candidateErrors, errors, share }) =>
        sum + candidateErrors * Math.log(r) - errors * Math.log1p((r - 1) * share),
      0,
    ),
  )
  const highest = Math.max(...logs)
  const sum = logs.reduce((total, log) => total + Math.exp(log - highest), 0)
  return highest + Math.log(sum / ALTERNATIVES.length)
}
