import '@testing-library/jest-dom/vitest'

import { cleanup, configure } from '@testing-library/react'
import { afterEach, vi } from 'vitest'

// Pages are loaded when first opened, and the machine may be busy with other things.
configure({ asyncUtilTimeout: 5_000 })

// What a canvas chart asks of a browser and a simulated one lacks; charts are judged in Chromium.
vi.mock('uplot', () => ({
  default: class {
    setData() {}
    setSize() {}
    destroy() {}
  },
}))
vi.mock('uplot/dist/uPlot.min.css', () => ({}))

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})
