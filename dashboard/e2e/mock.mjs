import { preview } from 'vite'

/** What the mock backend lets in (see mock-api/db.ts). */
export const MOCK_LOGIN = { email: 'admin@example.com', password: 'upmesh-demo' }

/** The built dashboard over the mock backend, on a free port, with the gateway's security policy. */
export async function startMock(env = {}) {
  Object.assign(process.env, env)
  const server = await preview({ preview: { port: 0, strictPort: false }, logLevel: 'warn' })
  const address = server.httpServer.address()
  return {
    base: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => server.httpServer.close(resolve) && server.httpServer.closeAllConnections()),
  }
}
