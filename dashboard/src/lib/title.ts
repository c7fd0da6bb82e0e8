import { useEffect } from 'react'

/** The tab's title, which is also how a screen reader announces a new page. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Upmesh`
  }, [title])
}
