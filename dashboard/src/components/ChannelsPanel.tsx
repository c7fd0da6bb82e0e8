import { useQuery } from '@tanstack/react-query'

import { messageOf } from '#/api/errors.ts'
import { channelsQuery } from '#/api/queries.ts'
import { channelKind } from '#/lib/words.ts'
import { NobodyTold } from './NobodyTold.tsx'
import { Panel } from './Panel.tsx'

/** Where alerts go. */
export function ChannelsPanel() {
  const { data: channels, error } = useQuery(channelsQuery)
  return (
    <Panel title="Channels">
      {channels?.length ? (
        <ul className="divide-y divide-line">
          {channels.map((channel) => (
            <li
              key={channel.name}
              className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3.5 sm:px-6"
            >
              <span className="font-medium">{channel.name}</span>
              <span className="text-sm text-ink-faint">{channelKind(channel.kind)}</span>
              <span className="ml-auto text-sm text-ink-soft">
                {channel.default ? 'unless a monitor names others' : 'where a monitor names it'}
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <div className="px-4 pt-1 pb-5 text-sm text-ink-faint sm:px-6">
          {error ? messageOf(error) : channels ? <NobodyTold /> : '\u00a0'}
        </div>
      )}
    </Panel>
  )
}
