// @vitest-environment node
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import openapiTS, { astToString } from 'openapi-typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, 'src', path), 'utf8') }))

describe('the app', () => {
  it('has sources', () => expect(sources.length).toBeGreaterThan(40))

  it.each([
    ['the mock backend', /from '#mock|mock-api/],
    ['test helpers', /from '#test/],
    ['HTML from strings', /dangerouslySetInnerHTML|innerHTML/],
    ['evaluated code', /\beval\(|new Function\(/],
  ])('is free of %s', (_, pattern) => {
    expect(sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([])
  })
})

it('has a page without inline scripts or styles, as the content security policy demands', () => {
  const html = readFileSync(join(root, 'index.html'), 'utf8')
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)|\bon\w+=/)
})

it('has a client generated from docs/openapi.json: npm run generate', async () => {
  const ast = await openapiTS(new URL('../../docs/openapi.json', import.meta.url), {
    rootTypes: true,
    rootTypesNoSchemaPrefix: true,
  })
  const generated = readFileSync(join(root, 'src/api/schema.d.ts'), 'utf8').replace(
    /^\/\*\*[\s\S]*?\*\/\s*/,
    '',
  )
  // Not toBe(…): the difference is long and says less than the name of this test.
  expect(generated.trim() === astToString(ast).trim()).toBe(true)
})

it('has a lock file without registry addresses', () => {
  expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved"|https?:\/\/registry/)
})
