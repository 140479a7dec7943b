declare module "asl-validator" {
  /** The package ships no types of its own. May write defaults into the definition. */
  const validate: (definition: object) => { isValid: boolean; errorsText: (separator: string) => string }
  export default validate
}
