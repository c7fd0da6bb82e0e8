import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

import { mockBackend } from './mock-api/plugin.ts'

/** The policy the gateway serves the dashboard with; `vite preview` sends it too, so that tests meet it. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** Where the gateway listens; without it, dev and preview answer from the mock backend. */
const gateway = process.env.UPMESH_GATEWAY

const proxy = gateway ? { '/api': gateway, '/doc': gateway, '/reference': gateway } : {}

export default defineConfig({
  plugins: [react(), tailwindcss(), ...(gateway ? [] : [mockBackend()])],
  resolve: {
    alias: {
      '#mock': new URL('./mock-api', import.meta.url).pathname,
      '#test': new URL('./test', import.meta.url).pathname,
      '#': new URL('./src', import.meta.url).pathname,
    },
  },
  server: { host: '127.0.0.1', port: 5173, proxy },
  preview: {
    host: '127.0.0.1',
    port: 4173,
    proxy,
    headers: { 'content-security-policy': contentSecurityPolicy },
  },
  build: {
    // light-dark() is used as written; older browsers than these are not served.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  test: {
    environment: 'happy-dom',
    environmentOptions: { happyDOM: { url: 'http://localhost:5173/' } },
    setupFiles: ['test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}', 'mock-api/**/*.test.ts', 'test/**/*.test.ts'],
    restoreMocks: true,
    // A page is typed into letter by letter, and the machine may be busy with other things.
    testTimeout: 20_000,
  },
})
