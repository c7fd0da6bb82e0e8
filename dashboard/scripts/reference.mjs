/**
 * Puts the interactive API reference's bundle into dist/reference/, so that the gateway serves it
 * without a CDN. Only that one file is wanted: as a dependency the package would bring 270 others
 * and 290 MB into every install, so its archive is fetched by npm and checked against the digest below.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const PACKAGE = '@scalar/api-reference'
const VERSION = '1.72.1'
const INTEGRITY =
  'sha512-XpEJ0rfc/cXbCrR+iC4kK0o/WwX2dTtGQbT049OlPKAHD6IMIFdTeGz2r+M27P2EDWKyUITRm/NzlP8z2pw/Ow=='

const root = join(import.meta.dirname, '..')
const cache = join(root, 'node_modules', '.cache', 'reference')
const archive = join(cache, `scalar-api-reference-${VERSION}.tgz`)
const bundle = join(cache, `standalone-${VERSION}.js`)
const target = join(root, 'dist', 'reference')

if (!existsSync(bundle)) {
  mkdirSync(cache, { recursive: true })
  if (!existsSync(archive))
    execFileSync('npm', ['pack', '--silent', `${PACKAGE}@${VERSION}`, '--pack-destination', cache], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (digest !== INTEGRITY) throw new Error(`${archive} is not what was pinned: ${digest}`)
  execFileSync('tar', [
    '-xzf',
    archive,
    '-C',
    cache,
    '--strip-components=3',
    'package/dist/browser/standalone.js',
  ])
  copyFileSync(join(cache, 'standalone.js'), bundle)
}
mkdirSync(target, { recursive: true })
copyFileSync(bundle, join(target, 'standalone.js'))
console.log(`dist/reference/standalone.js: ${PACKAGE} ${VERSION}`)
