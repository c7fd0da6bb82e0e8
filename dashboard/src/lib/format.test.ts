import { describe, expect, it } from 'vitest'

import { ago, duration, latency, percent, plural, roughly, span, timeOrDayAndTime } from './format.ts'

const plain = (text: string) => text.replaceAll('\u00a0', ' ')

describe('percent', () => {
  it.each([
    [1, '100 %'],
    [0.99999, '99.99 %'],
    [0.9995, '99.95 %'],
    [0.57, '57.00 %'],
    [0, '0.00 %'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('%s reads %s', (ratio, text) => expect(plain(percent(ratio))).toBe(text))
})

describe('latency', () => {
  it.each([
    [800, '0.8 ms'],
    [182_400, '182 ms'],
    [1_240_000, '1.24 s'],
    [null, '–'],
  ])('%s µs reads %s', (us, text) => expect(plain(latency(us))).toBe(text))
})

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [12_900, '12 s'],
    [245_000, '4 min 5 s'],
    [240_000, '4 min'],
    [273_600_000, '3 d 4 h'],
    [-5, '0 s'],
  ])('%s ms reads %s', (ms, text) => expect(plain(duration(ms))).toBe(text))

  it('has a rough form', () => expect(plain(roughly(273_600_000))).toBe('3 d'))
})

describe('ago', () => {
  it('never runs ahead of the clock', () => expect(ago(2_000, 1_000)).toBe('now'))
  it('counts', () => expect(plain(ago(1_000, 13_500))).toBe('12 s ago'))
  it('says never', () => expect(ago(null, 1)).toBe('never'))
})

it('knows one from many', () =>
  expect([plural(1, 'check'), plural(3, 'check')]).toEqual(['1 check', '3 checks']))

describe('a time', () => {
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour, 3, 27).getTime()

  it('has its day where that is not today', () => {
    expect(timeOrDayAndTime(at(21, 14), at(21, 23))).toMatch(/^14:03:27$/)
    expect(timeOrDayAndTime(at(20, 14), at(21, 0))).toMatch(/20.*, 14:03:27$/)
  })

  it('ends with a day where a day or more passed', () => {
    expect(span(at(21, 14), at(21, 15))).toMatch(/^\D*21\D*, 14:03–15:03$/)
    expect(span(at(21, 14), at(24, 14))).toMatch(/21\D*, 14:03–\D*24\D*, 14:03$/)
  })
})
