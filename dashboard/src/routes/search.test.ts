import { expect, it } from 'vitest'

import { checkList, checkLogin, checkMonitor } from './search.ts'

it('keeps what a list understands and drops the rest', () => {
  expect(checkList({ search: 404, state: 'down', tag: '', page: 3 })).toEqual({
    search: '404',
    state: 'down',
  })
  expect(checkList({ state: 'constructor' })).toEqual({})
})

it('knows its ranges', () => {
  expect(checkMonitor({ range: '7d', region: 'eu' })).toEqual({ range: '7d', region: 'eu' })
  expect(checkMonitor({ range: 'toString' })).toEqual({})
})

it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', ''])(
  'does not follow %j after the login',
  (next) => expect(checkLogin({ next })).toEqual({}),
)

it('comes back to a page of ours', () => {
  expect(checkLogin({ next: '/monitors/1?range=7d' })).toEqual({ next: '/monitors/1?range=7d' })
})
