import { ApiError, messageOf } from '#/api/errors.ts'

/** The server's word on each field, by its path (`probe.url`, `assertions[2].pattern`). */
export type FieldErrors = (path: string) => string | undefined

export function fieldErrors(error: Error | null): FieldErrors {
  const fields = error instanceof ApiError ? error.fields : []
  return (path) => fields.find((one) => one.field === path)?.message
}

/** What is wrong beyond the fields this form shows, if anything. */
export function otherError(error: Error | null): string | undefined {
  if (!error) return undefined
  if (error instanceof ApiError && error.fields.length > 0) {
    const n = error.fields.length
    return n === 1 ? 'One field needs another look.' : `${n} fields need another look.`
  }
  return messageOf(error)
}
