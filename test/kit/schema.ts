/** Validates documents by the JSON Schema files of the package. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false })
const validators = new Map<string, ValidateFunction>()

/** @returns the schema of a command's output, or of an event */
export function schemaOf(name: string): any { return JSON.parse(readFileSync(new URL(`../../../schemas/${name}.json`, import.meta.url), 'utf8')) }

/** @param document a text is parsed first @returns the errors, as text; empty: the document is valid */
export function schemaErrors(name: string, document: unknown): string[] {
  let validate = validators.get(name)
  if (validate === undefined) validators.set(name, validate = ajv.compile(schemaOf(name) as object))
  return validate(typeof document === 'string' ? JSON.parse(document) : document) ? []
    : validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`)
}
