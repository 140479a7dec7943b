/** Where a channel's URL leads, for who may not see the rest of it: what follows the host may let anybody post there. */
export const leadsTo = (url: string): string => `${URL.parse(url)?.origin ?? ""}/…`
