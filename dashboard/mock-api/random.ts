/** Repeatable chance: the same words give the same number, so that the mock's history never changes. */
export function hash(...parts: (string | number)[]): number {
  let h = 2_166_136_261
  for (const part of parts) {
    const text = String(part)
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16_777_619)
    h = Math.imul(h ^ 31, 16_777_619)
  }
  // murmur3's finish: without it neighbours stay neighbours.
  h ^= h >>> 16
  h = Math.imul(h, 2_246_822_507)
  h ^= h >>> 13
  h = Math.imul(h, 3_266_489_909)
  return (h ^ (h >>> 16)) >>> 0
}

/** 0 … 1 */
export const chance = (...parts: (string | number)[]) => hash(...parts) / 4_294_967_296

/** A UUID made of the words. */
export function uuid(...parts: (string | number)[]): string {
  const hex = [0, 1, 2, 3]
    .map((n) =>
      hash(n, ...parts)
        .toString(16)
        .padStart(8, '0'),
    )
    .join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
