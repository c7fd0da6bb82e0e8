import { dotted } from './mask.ts'

/** The start of a target that everyone knows by heart is not worth the width. */
export function shortTarget(target: string): string {
  return dotted(target.replace(/^https?:\/\//, '').replace(/\/$/, ''))
}
