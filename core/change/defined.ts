type Defined<Members> = { [Name in keyof Members]?: Exclude<Members[Name], undefined> }

/** The members that are there: an absent one stays absent, as it would in JSON. */
export const defined = <Members extends object>(members: Members): Defined<Members> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<Members>
